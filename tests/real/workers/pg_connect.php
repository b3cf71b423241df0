<?php
// The worker for PHP's pg_connect(). One JSON object a line, in and out, as python_clients.py does.
$question = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()';
ob_start();
(new ReflectionExtension('pgsql'))->info();
preg_match('/libpq\) Version => (\S+)/', ob_get_clean(), $libpq);
$runtime = ['php' => PHP_VERSION];
if ($libpq) $runtime['libpq'] = $libpq[1];
fwrite(STDOUT, json_encode(['driver' => 'php-pgsql', 'driver_version' => PHP_VERSION, 'runtime' => $runtime]) . "\n");
set_error_handler(function ($level, $message) { throw new ErrorException($message); });
$base = getenv();
while (($line = fgets(STDIN)) !== false) {
    $case = json_decode($line, true);
    foreach (getenv() as $key => $_) putenv($key);
    foreach ($base as $key => $value) putenv("$key=$value");
    putenv('HOME=' . $case['home']);
    foreach ($case['env'] ?? [] as $key => $value) putenv("$key=$value");
    $answer = ['id' => $case['id'], 'outcome' => 'refused', 'error' => ''];
    try {
        $connection = pg_connect($case['dsn'], PGSQL_CONNECT_FORCE_NEW);
        $answer['outcome'] = pg_fetch_result(pg_query($connection, $question), 0, 0) == 't' ? 'tls' : 'plaintext';
        pg_close($connection);
    } catch (Throwable $error) {
        $answer['error'] = get_class($error) . ': ' . $error->getMessage();
    }
    fwrite(STDOUT, json_encode($answer, JSON_INVALID_UTF8_SUBSTITUTE) . "\n");
}
