<?php
declare(strict_types=1);

namespace Atelier\Shim;

use Atelier\Context;
use Atelier\Request;

const COMMON_NAMES = ['handler', 'main'];

/** LOAD: prepares the process for one version's code and finds the handler; what is returned runs a call. */
function prepare(array $spec): \Closure
{
    foreach ([...$spec['config'], ...$spec['secrets']] as $name => $value) {
        putenv("$name=$value");
        $_ENV[$name] = $_SERVER[$name] = $value;
    }
    // Without a sandbox there is no /function: the backend says where the bundle is instead.
    $directory = getenv('ATELIER_DIRECTORY') ?: $spec['directory'];
    chdir($directory);
    [$file, $name] = parseEntry($directory, $spec['entry']);
    if (is_file("$directory/vendor/autoload.php")) requireAlone("$directory/vendor/autoload.php");
    if ($name === null && isScript("$directory/$file")) return script("$directory/$file");
    $given = requireAlone("$directory/$file");
    $target = find($file, $name, $given);
    $reflection = new \ReflectionFunction(\Closure::fromCallable($target));
    $parameters = $reflection->getParameters();
    if (count($parameters) === 1 && $parameters[0]->getName() === 'context' && (string) $parameters[0]->getType() !== Context::class)
        return fission($target);
    return static function (Call $call) use ($target): void {
        $result = $target(new Request($call), new Context($call));
        if ($call->socket !== null) $call->socket->close();
        else send($call, $result);
    };
}

/** @return array{string, ?string} the file, and the function's name where one is given */
function parseEntry(string $directory, string $entry): array
{
    // Fission writes file.php::function.
    [$file, $name] = explode(':', str_replace('::', ':', $entry), 2) + [1 => null];
    if (!str_ends_with($file, '.php')) $file .= '.php';
    if (!is_file("$directory/$file")) throw new \RuntimeException("The entry names the file $file, and the package has no such file.");
    return [$file, $name === '' ? null : $name];
}

/** Includes a file where it sees no variables of ours. */
function requireAlone(string $path): mixed
{
    return (static fn () => require $path)();
}

function find(string $file, ?string $name, mixed $given): callable
{
    if ($name !== null) {
        if (is_callable(str_replace('->', '::', $name))) return $name;
        throw new \RuntimeException("There is no function \"$name\" in $file." . found($file));
    }
    if (is_callable($given)) return $given;
    foreach (COMMON_NAMES as $common) if (function_exists($common)) return $common;
    $own = ownFunctions($file);
    if (count($own) === 1) return $own[0];
    throw new \RuntimeException("$file has no handler: return a function, name one handler, or say which, as in $file:main." . found($file));
}

/** @return list<string> */
function ownFunctions(string $file): array
{
    $path = realpath($file);
    $own = array_filter(
        get_defined_functions()['user'],
        static fn (string $name): bool => (new \ReflectionFunction($name))->getFileName() === $path,
    );
    return array_values($own);
}

function found(string $file): string
{
    $own = ownFunctions($file);
    return $own === [] ? '' : ' It has: ' . implode(', ', array_slice($own, 0, 20)) . '.';
}
