<?php
// The worker for Doctrine's DBAL. One JSON object a line, in and out, as python_clients.py does.
error_reporting(E_ALL & ~E_DEPRECATED & ~E_USER_DEPRECATED);
require_once 'Doctrine/DBAL/autoload.php';
use Doctrine\DBAL\DriverManager;
$question = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()';
$reflection = new ReflectionExtension('pdo_pgsql');
ob_start();
$reflection->info();
preg_match('/libpq\) Version => (\S+)/', ob_get_clean(), $libpq);
exec("dpkg-query -W -f '\${Version}' php-doctrine-dbal", $told);
preg_match('/^[\d.]+/', $told[0] ?? '', $version);
$runtime = ['php' => PHP_VERSION] + ($libpq ? ['libpq' => $libpq[1]] : []);
fwrite(STDOUT, json_encode(['driver' => 'doctrine', 'driver_version' => rtrim($version[0] ?? '', '.'), 'runtime' => $runtime]) . "\n");
$base = getenv();
while (($line = fgets(STDIN)) !== false) {
    $case = json_decode($line, true);
    foreach (getenv() as $key => $_) putenv($key);
    foreach ($base as $key => $value) putenv("$key=$value");
    putenv('HOME=' . $case['home']);
    foreach ($case['env'] ?? [] as $key => $value) putenv("$key=$value");
    $answer = ['id' => $case['id'], 'outcome' => 'refused', 'error' => ''];
    try {
        $params = $case['settings'] ?? [];
        if (isset($case['dsn'])) $params['url'] = $case['dsn'];
        $connection = DriverManager::getConnection($params);
        $ssl = $connection->fetchOne($question);
        $answer['outcome'] = $ssl === true || $ssl === 't' ? 'tls' : 'plaintext';
        $connection->close();
    } catch (Throwable $error) {
        $answer['error'] = get_class($error) . ': ' . $error->getMessage();
    }
    fwrite(STDOUT, json_encode($answer, JSON_INVALID_UTF8_SUBSTITUTE) . "\n");
}
