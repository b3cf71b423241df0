<?php
// The worker for PHP's PDO. One JSON object a line, in and out, as python_clients.py does.
$question = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()';
$reflection = new ReflectionExtension('pdo_pgsql');
ob_start();
$reflection->info();
preg_match('/libpq\) Version => (\S+)/', ob_get_clean(), $libpq);
$runtime = ['php' => PHP_VERSION];
if ($libpq) $runtime['libpq'] = $libpq[1];
fwrite(STDOUT, json_encode(['driver' => 'pdo', 'driver_version' => $reflection->getVersion(), 'runtime' => $runtime]) . "\n");
$base = getenv();
while (($line = fgets(STDIN)) !== false) {
    $case = json_decode($line, true);
    foreach (getenv() as $key => $_) putenv($key);
    foreach ($base as $key => $value) putenv("$key=$value");
    putenv('HOME=' . $case['home']);
    foreach ($case['env'] ?? [] as $key => $value) putenv("$key=$value");
    $answer = ['id' => $case['id'], 'outcome' => 'refused', 'error' => ''];
    try {
        $connection = new PDO($case['dsn'], $case['settings']['user'] ?? null, null);
        $answer['outcome'] = $connection->query($question)->fetchColumn() ? 'tls' : 'plaintext';
        $connection = null;
    } catch (Throwable $error) {
        $answer['error'] = get_class($error) . ': ' . $error->getMessage();
    }
    fwrite(STDOUT, json_encode($answer) . "\n");
}
