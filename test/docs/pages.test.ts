/** What pages and messages send their readers to is there: commands with their options, other pages, headings. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { CATALOGUE } from '../../src/cli/catalogue.ts'
import { GLOBAL_OPTIONS } from '../../src/cli/globals.ts'
import { type CommandSpec, isGroup } from '../../src/cli/spec.ts'

const root = join(import.meta.dirname, '../..')
const pages = globSync(['*.md', 'docs/*.md', 'examples/**/*.md', 'devstack/*.md', 'src/**/*.md'], {
  cwd: root,
})
const sources = globSync(['src/**/*.ts', 'scripts/*.ts', 'deploy/systemd/*'], { cwd: root })

const OF_HELP = new Set(['help', '--help', '-h', '--version', '-V'])
const MEANT = /(?:^|\s)atelier ((?!atelier )[a-z][^`]*)/
const END = /\s(?:#|\||>|;|&&|2>|<|\\$|…).*$|[)"'`].*$/

/** Every command line that a text names, without `atelier`. */
function commandsIn(path: string): readonly string[] {
  const text = readFileSync(join(root, path), 'utf8')
  if (!path.endsWith('.md')) return [...text.matchAll(/"atelier ([a-z-][^"\n$]*)"/g)].map(match => match[1]!)
  const blocks = [...text.matchAll(/^```(?:sh|bash)?\n([^]*?)^```$/gm)].flatMap(match =>
    match[1]!.replaceAll(/\\\n\s*/g, ' ').split('\n'),
  )
  const inline = [...text.replaceAll(/^```[^]*?^```$/gm, '').matchAll(/`((?:npx )?atelier [^`\n]+)`/g)]
  return [...blocks, ...inline.map(match => match[1]!)].flatMap(line => MEANT.exec(line)?.[1] ?? [])
}

/** What is wrong with a command line, or `undefined`. */
async function faultOf(line: string): Promise<string | undefined> {
  const words = line
    .replace(/"[^"]*"|'[^']*'/g, 'TEXT')
    .replace(END, '')
    .trim()
    .split(/\s+/)
  const [noun = '', verb] = words
  if (OF_HELP.has(noun)) return undefined
  const entry = CATALOGUE.find(each => each.name === noun || each.aliases?.includes(noun))
  if (!entry) return `there is no command ${noun}`
  const spec = await entry.load()
  let command: CommandSpec | undefined
  if (!isGroup(spec)) command = spec
  else if (verb === undefined) return entry.alone ? undefined : `${noun} alone is no command`
  else command = spec.commands.find(each => each.name === verb || each.aliases?.includes(verb))
  if (!command) return verb === '--help' ? undefined : `there is no ${noun} ${verb}`
  const known = new Set(
    [...GLOBAL_OPTIONS, ...(command.options ?? [])].flatMap(each =>
      each.flags.match(/(?<![\w<-])--?[a-zA-Z][\w-]*/g),
    ),
  )
  const unknown = words.find(
    word => /^--?[a-zA-Z]/.test(word) && !known.has(word.split('=')[0]!) && !OF_HELP.has(word),
  )
  return unknown && `${noun} has no option ${unknown}`
}

test('every command that a page or a message names is there, with its options', async () => {
  const faults: string[] = []
  let count = 0
  for (const path of [...pages, ...sources])
    for (const line of commandsIn(path)) {
      count++
      const fault = await faultOf(line)
      if (fault !== undefined) faults.push(`${path}: atelier ${line}: ${fault}`)
    }
  assert.deepEqual(faults, [])
  assert.ok(count > 200, `commands are found: ${count}`)
})

test('every link of a page leads to a file that is there, and to a heading in it', () => {
  const faults: string[] = []
  for (const path of pages) {
    const text = readFileSync(join(root, path), 'utf8').replaceAll(/^```[^]*?^```$/gm, '')
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      const [file, heading] = target.split('#')
      const there = file ? join(dirname(path), decodeURIComponent(file)) : path
      if (!existsSync(join(root, there))) faults.push(`${path}: ${target}: there is no such file`)
      else if (heading && !headingsOf(there).has(heading))
        faults.push(`${path}: ${target}: there is no such heading`)
    }
  }
  assert.deepEqual(faults, [])
})

/** Names of headings as hosts of repositories make them. */
function headingsOf(path: string): ReadonlySet<string> {
  const text = readFileSync(join(root, path), 'utf8').replaceAll(/^```[^]*?^```$/gm, '')
  return new Set(
    [...text.matchAll(/^#+ (.+)$/gm)].map(match =>
      match[1]!
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}
