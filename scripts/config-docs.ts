/** Writes docs/configuration.md from the list of the server's settings; `--check` fails when the file is not fresh. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { variableOf } from '../src/server/config.ts'
import type { ServerOption } from '../src/server/option.ts'
import { serverOptions } from '../src/server/options.ts'

const target = join(import.meta.dirname, '..', 'docs', 'configuration.md')
const page = `# Configuration of the server

Defaults are overlaid with the file given by \`--config\` (YAML or JSON, settings by name), that with the environment, and
that with the flags. A setting that is wrong stops the server before it starts, with exit code 2, and says where it was written. This page
is made from the list in \`src/server/options.ts\` by \`node scripts/config-docs.ts\`.

| setting | environment | values | default | what it does |
| --- | --- | --- | --- | --- |
${(serverOptions as readonly ServerOption[]).map(row).join('\n')}
`

if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== page) {
    console.error('docs/configuration.md is not fresh')
    process.exitCode = 1
  }
} else writeFileSync(target, page)

function row(option: ServerOption): string {
  const fallback = option.default === undefined ? '' : `\`${option.default}\``
  return `| \`--${option.name}\` | \`${variableOf(option.name)}\` | ${valuesOf(option)} | ${fallback} | ${option.description} |`
}

function valuesOf(option: ServerOption): string {
  if (option.choices) return option.choices.join(', ')
  if (option.type === 'integer') return `${option.min} to ${option.max}`
  return option.type === 'boolean' ? 'true, false' : 'text'
}
