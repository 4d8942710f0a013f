import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { BIN, bareEnvironment } from './command.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const RUN_MS_MAX = 120_000

export interface ExampleOutcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/**
 * The commands of a page's example, or what else it shows in another language: the block that follows
 * `<!-- example: name -->`. Throws when there is none, so that a page that loses its example is noticed.
 */
export async function exampleOf(page: string, name: string, language = 'sh'): Promise<string> {
  const text = await readFile(join(ROOT, 'docs', page), 'utf8')
  const mark = `<!-- example: ${name} -->`
  const fenced = new RegExp(`^\\s*\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'm')
  const block = fenced.exec(text.slice(text.indexOf(mark) + mark.length))
  if (!text.includes(mark) || !block || block.index !== 0)
    throw new Error(`docs/${page} has no block of ${language} right after ${mark}`)
  return block[1]!
}

/**
 * Runs an example as a reader would type it: in an empty folder, with `atelier` on the path, logged in to the server
 * whose data directory `home` is. Each command must succeed: the first that fails ends it.
 */
export async function runExample(
  page: string,
  name: string,
  home: string,
  variables: Readonly<Record<string, string>> = {},
  /** What stands in the example for things of the reader's own (addresses, accounts), and what it is here. */
  own: readonly (readonly [printed: string, real: string])[] = [],
): Promise<ExampleOutcome> {
  let commands = await exampleOf(page, name)
  for (const [printed, real] of own) {
    if (!commands.includes(printed))
      throw new Error(`the example "${name}" of docs/${page} has no ${printed}`)
    commands = commands.replaceAll(printed, real)
  }
  const folder = await mkdtemp(join(tmpdir(), 'atelier-example-'))
  try {
    await writeFile(join(folder, 'atelier'), `#!/bin/sh\nexec '${process.execPath}' '${BIN}' "$@"\n`, {
      mode: 0o755,
    })
    const env = bareEnvironment({ HOME: home, ATELIER_HOME: home, ...variables })
    env['PATH'] = `${folder}:${dirname(process.execPath)}:${env['PATH'] ?? ''}`
    return await new Promise(resolve => {
      const options = { cwd: folder, env, timeout: RUN_MS_MAX }
      execFile('bash', ['-euo', 'pipefail', '-c', commands], options, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr }),
      )
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
