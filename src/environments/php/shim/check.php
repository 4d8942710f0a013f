<?php
/** The build's last step: is there an entry, and can it be compiled? Nothing of the code runs: php check.php <folder> <entry> */
declare(strict_types=1);

namespace Atelier\Shim;

require __DIR__ . '/load.php';

[, $folder, $entry] = $argv;
try {
    [$file] = parseEntry($folder, $entry);
} catch (\RuntimeException $error) {
    fwrite(STDERR, $error->getMessage() . "\n");
    exit(1);
}
try {
    \PhpToken::tokenize(file_get_contents("$folder/$file"), TOKEN_PARSE);
} catch (\ParseError $error) {
    fwrite(STDERR, "$file:{$error->getLine()}: {$error->getMessage()}\n");
    exit(1);
}
echo "$file: syntax is right\n";
