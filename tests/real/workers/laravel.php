<?php
// The worker for Laravel's database library. One JSON object a line, in and out, as python_clients.py does.
error_reporting(E_ALL & ~E_DEPRECATED);
require_once 'Illuminate/Database/autoload.php';
use Illuminate\Database\Capsule\Manager;
$question = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()';
$reflection = new ReflectionExtension('pdo_pgsql');
ob_start();
$reflection->info();
preg_match('/libpq\) Version => (\S+)/', ob_get_clean(), $libpq);
exec("dpkg-query -W -f '\${Version}' php-illuminate-database", $told);
preg_match('/^[\d.]+/', $told[0] ?? '', $version);
$runtime = ['php' => PHP_VERSION] + ($libpq ? ['libpq' => $libpq[1]] : []);
fwrite(STDOUT, json_encode(['driver' => 'laravel', 'driver_version' => rtrim($version[0] ?? '', '.'), 'runtime' => $runtime]) . "\n");
$base = getenv();
while (($line = fgets(STDIN)) !== false) {
    $case = json_decode($line, true);
    foreach (getenv() as $key => $_) putenv($key);
    foreach ($base as $key => $value) putenv("$key=$value");
    putenv('HOME=' . $case['home']);
    foreach ($case['env'] ?? [] as $key => $value) putenv("$key=$value");
    $answer = ['id' => $case['id'], 'outcome' => 'refused', 'error' => ''];
    try {
        // An entry of config/database.php, as a new application has it; the manager lays its URL over it.
        $entry = ['driver' => 'pgsql', 'charset' => 'utf8'] + ($case['settings'] ?? []);
        if (isset($case['dsn'])) $entry['url'] = $case['dsn'];
        $manager = new Manager();
        $manager->addConnection($entry);
        $connection = $manager->getConnection();
        $answer['outcome'] = $connection->selectOne($question)->ssl ? 'tls' : 'plaintext';
        $connection->disconnect();
    } catch (Throwable $error) {
        $answer['error'] = get_class($error) . ': ' . $error->getMessage();
    }
    fwrite(STDOUT, json_encode($answer, JSON_INVALID_UTF8_SUBSTITUTE) . "\n");
}
