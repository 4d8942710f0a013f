<?php
/**
 * The PHP shim: speaks frames (docs/frames.md) for one instance. PHP 8.1 or newer, no extensions.
 *
 * It finds its stream as descriptor 3, or connects where ATELIER_CONNECT says.
 */
declare(strict_types=1);

namespace Atelier\Shim;

foreach (['wire', 'output', 'call', 'messages', 'answer', 'fission', 'script', 'load', 'instance'] as $part) require __DIR__ . "/$part.php";

ini_set('display_errors', 'stderr');
ini_set('log_errors', '0');
set_time_limit(0);

$secret = getenv('ATELIER_SECRET');
$target = getenv('ATELIER_CONNECT');
foreach (['ATELIER_SECRET', 'ATELIER_CONNECT', 'ATELIER_GENERIC'] as $name) {
    putenv($name);
    unset($_ENV[$name], $_SERVER[$name]);
}
$channel = $target === false ? fopen('php://fd/3', 'r+b') : stream_socket_client($target);
if ($channel === false) exit(1);
(new Instance(new Wire($channel)))->serve($secret === false ? null : $secret);
