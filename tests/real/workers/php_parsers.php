<?php
// What Laravel and Doctrine make of a database URL: one JSON string a line in, {"laravel": DSN, "doctrine": [driver, DSN]} a line out,
// null for what they refuse.
error_reporting(E_ALL & ~E_DEPRECATED & ~E_USER_DEPRECATED);
// As Laravel and Symfony have it: what PHP would only warn of, such as an array in place of a text, is an error.
set_error_handler(function ($severity, $message) { if ($severity & error_reporting()) throw new ErrorException($message); });
$laravel = @include 'Illuminate/Database/autoload.php';
$doctrine = @include 'Doctrine/DBAL/autoload.php';
fwrite(STDOUT, json_encode(['laravel' => (bool) $laravel, 'doctrine' => (bool) $doctrine]) . "\n");
function called($object, string $method, ...$arguments) {
    $found = new ReflectionMethod($object, $method);
    $found->setAccessible(true);
    return $found->invoke($object, ...$arguments);
}
while (($line = fgets(STDIN)) !== false) {
    $url = json_decode($line, true);
    $answer = ['laravel' => null, 'doctrine' => null];
    if ($laravel) try {
        $entry = (new Illuminate\Support\ConfigurationUrlParser)->parseConfiguration(['driver' => 'pgsql', 'sslmode' => 'prefer', 'url' => $url]);
        if (is_array($entry['host'] ?? null)) $entry['host'] = 'several';
        if ($entry['driver'] === 'pgsql') $answer['laravel'] = called(new Illuminate\Database\Connectors\PostgresConnector, 'getDsn', $entry + ['database' => '']);
    } catch (Throwable $error) {
    }
    if ($doctrine) try {
        $params = called((new ReflectionClass(Doctrine\DBAL\DriverManager::class))->newInstanceWithoutConstructor(), 'parseDatabaseUrl', ['url' => $url, 'sslmode' => 'prefer']);
        if (($params['driver'] ?? '') === 'pdo_pgsql') $answer['doctrine'] = called(new Doctrine\DBAL\Driver\PDO\PgSQL\Driver, 'constructPdoDsn', $params);
    } catch (Throwable $error) {
    }
    fwrite(STDOUT, json_encode($answer, JSON_INVALID_UTF8_SUBSTITUTE) . "\n");
}
