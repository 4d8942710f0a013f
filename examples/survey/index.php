<?php

use Atelier\Context;
use Atelier\Request;
use Atelier\Response;

const BARS_MAX = 12;

function handler(Request $request, Context $context): Response
{
    if ($request->method !== 'POST') return new Response("POST the answers as CSV.\n", 405, ['allow' => 'POST']);
    $rows = readRows($request);
    $questions = array_shift($rows) ?? [];
    if ($questions === []) return new Response("The first line names the questions.\n", 400);
    printf("%d people, %d questions\n", count($rows), count($questions));
    return new Response(page($questions, $rows), 200, ['content-type' => 'text/html; charset=utf-8']);
}

/** @return list<list<string>> */
function readRows(Request $request): array
{
    $file = fopen('php://temp', 'r+b');
    while (($piece = $request->read()) !== null) fwrite($file, $piece);
    rewind($file);
    $rows = [];
    while (($row = fgetcsv($file, escape: '')) !== false) if ($row !== [null]) $rows[] = $row;
    fclose($file);
    return $rows;
}

/** The page, a question at a time: it begins to arrive while the rest is made. */
function page(array $questions, array $rows): Generator
{
    yield '<!doctype html><meta charset="utf-8"><title>Survey</title>'
        . '<style>body{font:16px/1.5 system-ui;max-width:40em;margin:2em auto}rect{fill:#2a7}text{font-size:14px}</style>'
        . '<h1>' . count($rows) . ' answers</h1>';
    foreach ($questions as $column => $question) {
        $answers = array_filter(array_map(fn ($row) => trim($row[$column] ?? ''), $rows), fn ($answer) => $answer !== '');
        yield '<h2>' . htmlspecialchars($question) . '</h2>';
        $numbers = array_filter($answers, is_numeric(...));
        yield count($numbers) === count($answers) && $numbers !== [] ? summary(array_map(floatval(...), $numbers)) : bars(array_count_values($answers));
    }
}

function summary(array $numbers): string
{
    sort($numbers);
    $mean = array_sum($numbers) / count($numbers);
    $spread = sqrt(array_sum(array_map(fn ($n) => ($n - $mean) ** 2, $numbers)) / count($numbers));
    return sprintf('<p>Mean %.2f, spread %.2f, from %g to %g, median %g.</p>', $mean, $spread, $numbers[0], end($numbers), $numbers[intdiv(count($numbers), 2)]);
}

function bars(array $counts): string
{
    arsort($counts);
    $counts = array_slice($counts, 0, BARS_MAX, true);
    $most = max([1, ...array_values($counts)]);
    $svg = sprintf('<svg width="600" height="%d" role="img">', 26 * count($counts));
    $y = 0;
    foreach ($counts as $answer => $count) {
        $svg .= sprintf('<rect x="250" y="%d" width="%d" height="18"/>', $y, (int) (300 * $count / $most));
        $svg .= sprintf('<text x="240" y="%d" text-anchor="end">%s</text>', $y + 14, htmlspecialchars((string) $answer));
        $svg .= sprintf('<text x="560" y="%d">%d</text>', $y + 14, $count);
        $y += 26;
    }
    return "$svg</svg>";
}
