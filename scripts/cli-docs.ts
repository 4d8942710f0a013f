/**
 * Writes docs/cli.md from the commands themselves. With `--check` it writes nothing, and fails when the page is not what
 * it would write.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CATALOGUE } from '../src/cli/catalogue.ts'
import { EXIT } from '../src/cli/failure.ts'
import { GLOBAL_OPTIONS } from '../src/cli/globals.ts'
import { type CommandSpec, isGroup, type OptionSpec } from '../src/cli/spec.ts'

const PAGE = join(import.meta.dirname, '..', 'docs', 'cli.md')

const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'it worked',
  failed: 'it did not work; for `invoke`, the function answered with a status of 400 or more',
  usage: 'the command line or an input file is wrong',
  notFound: 'there is no such thing',
  notAllowed: 'not logged in, or not allowed',
  unreachable: 'the server cannot be reached',
  conflict: 'in conflict with what exists, or changed meanwhile',
  interrupted: 'ended by Ctrl-C',
}

const INTRODUCTION = `# The command line

<!-- Written by scripts/cli-docs.ts from the commands; change those. -->

\`atelier\` speaks to the server's API like any client. \`atelier help COMMAND\` says what this page says.

**Functions** are named \`NAME\`, \`APP/NAME\`, and where a version matters \`APP/NAME:ALIAS\` or \`APP/NAME:VERSION\`; without an app it
is the app \`default\`. **Times** are \`500ms\`, \`30s\`, \`5m\`, \`2h\`, \`1d\`, a bare number is seconds; points in time are that long ago, or
a date (\`2030-01-31T12:00:00Z\`).

**Output.** Results go to stdout, everything else (progress, notes, warnings, errors) to stderr. \`-o json\` and \`-o yaml\` print the body
of the API, whose fields are stable. Colours appear on terminals only, and never with \`NO_COLOR\` set; \`--quiet\` leaves only
results and errors.

**Login.** The command looks at \`--url\` and \`--token\`, then \`ATELIER_URL\` and \`ATELIER_TOKEN\`, then at what \`atelier login\` stored
(\`$XDG_CONFIG_HOME/atelier/config.json\`), then at the file that a server of this machine wrote at its first start
(\`admin.json\` in its data directory). A token that has expired is renewed where a password is at hand. A password is never
sent to another server than the one it was stored for.`

async function page(): Promise<string> {
  const parts = [
    INTRODUCTION,
    '## Options for every command',
    optionTable(GLOBAL_OPTIONS),
    '## Exit codes',
    exitCodes(),
  ]
  for (const entry of CATALOGUE.filter(one => !one.hidden)) {
    const spec = await entry.load()
    const also = entry.aliases?.length ? ` (also \`${entry.aliases.join('`, `')}\`)` : ''
    if (isGroup(spec)) {
      parts.push(`## atelier ${spec.name}`, `${spec.summary}${also}.`)
      for (const one of spec.commands) parts.push(...section(one, `atelier ${spec.name} ${one.name}`, '###'))
    } else parts.push(...section(spec, `atelier ${spec.name}`, '##', also))
  }
  return `${parts.join('\n\n')}\n`
}

function section(spec: CommandSpec, name: string, level: string, also = ''): string[] {
  const usage = [
    name,
    ...(spec.args ?? []).map(arg => arg.syntax),
    ...(spec.options ? ['[options]'] : []),
  ].join(' ')
  const aliases = spec.aliases?.length && level === '###' ? ` (also \`${spec.aliases.join('`, `')}\`)` : also
  return [
    `${level} ${name}`,
    `${spec.summary}${aliases}.`,
    ...(spec.details ? [spec.details] : []),
    `\`\`\`\n${usage}\n\`\`\``,
    ...(spec.args?.length
      ? [
          table(
            ['argument', 'meaning'],
            spec.args.map(arg => [`\`${arg.syntax}\``, arg.help]),
          ),
        ]
      : []),
    ...(spec.options?.length ? [optionTable(spec.options)] : []),
    `\`\`\`sh\n${spec.examples.map(([line, does]) => `${line}  # ${does}`).join('\n')}\n\`\`\``,
  ]
}

function optionTable(options: readonly OptionSpec[]): string {
  return table(
    ['option', 'meaning'],
    options.map(option => [
      `\`${option.flags}\``,
      option.help + (option.choices ? ` (${option.choices.join(', ')})` : ''),
    ]),
  )
}

function exitCodes(): string {
  return table(
    ['code', 'meaning'],
    (Object.keys(EXIT) as (keyof typeof EXIT)[]).map(name => [String(EXIT[name]), EXIT_MEANINGS[name]]),
  )
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

const wanted = await page()
if (process.argv.includes('--check')) {
  if (wanted !== readFileSync(PAGE, 'utf8')) {
    console.error('docs/cli.md is not what the commands say: run "node scripts/cli-docs.ts".')
    process.exitCode = 1
  }
} else writeFileSync(PAGE, wanted)
