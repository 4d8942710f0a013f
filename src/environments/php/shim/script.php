<?php
declare(strict_types=1);

namespace Atelier\Shim;

use Atelier\Request;

/** Whether a file is a script: it prints at its top level, has no function handler or main there, and returns nothing. */
function isScript(string $path): bool
{
    $depth = 0;
    $prints = false;
    try {
        $tokens = \PhpToken::tokenize(file_get_contents($path), TOKEN_PARSE);
    } catch (\ParseError) {
        return false; // loading it tells where
    }
    foreach ($tokens as $i => $token) {
        if ($token->text === '{' || $token->is([T_CURLY_OPEN, T_DOLLAR_OPEN_CURLY_BRACES])) $depth++;
        elseif ($token->text === '}') $depth--;
        elseif ($depth > 0) continue;
        elseif ($token->is(T_RETURN)) return false;
        elseif ($token->is(T_FUNCTION) && in_array($tokens[$i + 2]->text ?? '', COMMON_NAMES, true)) return false;
        elseif ($token->is([T_ECHO, T_PRINT, T_OPEN_TAG_WITH_ECHO]) || $token->is(T_INLINE_HTML) && trim($token->text) !== '') $prints = true;
    }
    return $prints;
}

/**
 * A plain script: what it prints is the answer. Each call runs in a fork of this process, since a script may define things, change
 * settings and exit; nothing of it is left for the next one.
 */
function script(string $path): \Closure
{
    if (!function_exists('pcntl_fork')) throw new \RuntimeException('A plain script needs the extension pcntl: make it a function handler(), or install that.');
    return static function (Call $call) use ($path): void {
        $request = new Request($call);
        $request->body();
        [$ours, $theirs] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
        $child = pcntl_fork();
        if ($child === -1) throw new \RuntimeException('No process could be started for the script.');
        if ($child === 0) {
            fclose($ours);
            runScript($path, $request, $theirs);
        }
        fclose($theirs);
        stream_set_blocking($ours, false);
        $output = '';
        try {
            while (!feof($ours)) {
                $piece = fread($ours, DATA_BYTES_MAX);
                if ($piece !== false && $piece !== '') $output .= $piece;
                else $call->instance->sleep($call, 1);
                $call->throwIfCancelled();
            }
        } finally {
            if ($call->cancelReason !== null) posix_kill($child, 9);
            pcntl_waitpid($child, $status);
        }
        [$head, $body] = explode("\0", $output, 2) + [1 => null];
        if ($body === null) throw new \RuntimeException('The script ended before its answer did; its log tells why.');
        send($call, new \Atelier\Response($body, (int) $head ?: 200, ['content-type' => 'text/html; charset=utf-8']));
    };
}

/** In the child: does not return. The status goes first, since it is known only at the end. */
function runScript(string $path, Request $request, $answer): never
{
    while (ob_get_level() > 0) ob_end_clean();
    restore_error_handler();
    releaseStreams(); // what it prints to STDERR is the process's own, which the platform reads: the stream belongs to the parent
    ob_start();
    $thrown = false;
    register_shutdown_function(static function () use ($answer, &$thrown): void {
        $error = error_get_last();
        $failed = $thrown || $error !== null && in_array($error['type'], [E_ERROR, E_PARSE, E_CORE_ERROR, E_COMPILE_ERROR], true);
        $body = '';
        while (ob_get_level() > 0) $body = ob_get_clean() . $body;
        if (!$failed) fwrite($answer, (http_response_code() ?: 200) . "\0" . $body);
        fclose($answer);
        posix_kill(getmypid(), 9); // the descriptors that are shared with the parent stay as they are
    });
    $_GET = $request->query;
    $_COOKIE = $request->cookies();
    $_POST = str_contains($request->header('content-type') ?? '', 'x-www-form-urlencoded') ? $request->form() : [];
    $_REQUEST = [...$_GET, ...$_POST];
    $_SERVER = [
        ...$_SERVER,
        'REQUEST_METHOD' => $request->method,
        'REQUEST_URI' => $request->target,
        'QUERY_STRING' => $request->queryString,
        'SCRIPT_NAME' => '/' . basename($path),
        'SCRIPT_FILENAME' => $path,
        'PATH_INFO' => $request->path,
        'SERVER_PROTOCOL' => 'HTTP/1.1',
        'REQUEST_TIME' => time(),
        'REQUEST_TIME_FLOAT' => microtime(true),
    ];
    foreach ($request->headers as $name => $value) {
        $key = strtoupper(str_replace('-', '_', $name));
        $_SERVER[in_array($key, ['CONTENT_TYPE', 'CONTENT_LENGTH'], true) ? $key : "HTTP_$key"] = $value;
    }
    $GLOBALS['HTTP_RAW_POST_DATA'] = $request->body();
    try {
        (static fn () => require $path)();
    } catch (\Throwable $error) {
        $thrown = true;
        fwrite(STDERR, "$error\n");
    }
    exit(0);
}
