<?php

use Atelier\Context;
use Atelier\Request;

/** Answers with an array, which becomes JSON; text, a generator and new Atelier\Response(…) work as well. */
function handler(Request $request, Context $context): array
{
    $name = $request->query['name'] ?? 'world';
    echo "saying hello to $name\n"; // goes to the log
    return ['message' => "Hello, $name!", 'version' => $context->function['version']];
}
