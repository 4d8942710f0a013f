import { readFileSync } from 'node:fs'
import type { Client } from './client/client.ts'
import { type CliFailure, EXIT, usage } from './failure.ts'
import type { Options } from './options.ts'
import { type Styles, screened, stylesFor, wantsColour } from './output/styles.ts'
import { type Column, renderTable } from './output/table.ts'
import { jsonText, yamlText } from './output/value.ts'

export const OUTPUT_FORMATS = ['table', 'json', 'yaml'] as const
export type OutputFormat = (typeof OUTPUT_FORMATS)[number]

/**
 * What one command line works with: where it prints, what it was told globally, and its way to the server. Nothing that it prints drives a
 * terminal, whoever wrote it.
 */
export class Context {
  readonly env: NodeJS.ProcessEnv
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
  readonly colour: boolean
  /** For stdout. */
  readonly styles: Styles
  /** For stderr, which may go elsewhere. */
  readonly noteStyles: Styles
  format: OutputFormat = 'table'
  quiet = false
  /** What the process ends with when nothing failed; a command sets another where "it worked, and the news is bad". */
  exitCode: number = EXIT.ok
  /** Whether there is no point in going on when nobody reads stdout any more. */
  needsReader = true
  /** Whether the command itself answers the signals that end a process. */
  handlesSignals = false
  #options: Options | undefined
  #client: Promise<Client> | undefined

  constructor(env: NodeJS.ProcessEnv, signal: AbortSignal) {
    this.env = env
    this.signal = signal
    this.colour = wantsColour(process.stdout, env)
    this.styles = stylesFor(this.colour)
    this.noteStyles = stylesFor(wantsColour(process.stderr, env))
  }

  get version(): string {
    const file = new URL('../../package.json', import.meta.url)
    const published = new URL('../package.json', import.meta.url) // when bundled into dist/
    for (const one of [file, published]) {
      try {
        return String(JSON.parse(readFileSync(one, 'utf8')).version)
      } catch {
        continue
      }
    }
    return 'unknown'
  }

  /** Width to fit tables into, or `undefined` when nobody looks. */
  get width(): number | undefined {
    return process.stdout.isTTY ? process.stdout.columns : undefined
  }

  /** Takes over the global options, once they are parsed. */
  configure(options: Options): void {
    this.#options = options
    this.format = formatOf(options.text('output') ?? this.env.ATELIER_OUTPUT)
    this.quiet = options.flag('quiet')
  }

  /** The way to the server. Finds the login at the first use; rejects with how to log in. */
  client(): Promise<Client> {
    this.#client ??= this.#connect()
    return this.#client
  }

  async #connect(): Promise<Client> {
    const [{ findLogin }, { Client }] = await Promise.all([
      import('./client/login.ts'),
      import('./client/client.ts'),
    ])
    const login = findLogin({
      env: this.env,
      url: this.#options?.text('url'),
      token: this.#options?.text('token'),
      project: this.#options?.text('project'),
    })
    return new Client(login, this.signal)
  }

  /** A line of the result, to stdout. */
  print(text = ''): void {
    process.stdout.write(`${screened(text)}\n`)
  }

  /** The result: `value` for programs, or what `lines` makes of it for people. */
  async result(value: unknown, lines: () => readonly string[]): Promise<void> {
    if (this.format === 'json') process.stdout.write(`${jsonText(value, 2)}\n`)
    else if (this.format === 'yaml') process.stdout.write(await yamlText(value))
    else for (const line of lines()) this.print(line)
  }

  /** A list: `{items}` for programs, a table for people. */
  async list<T>(items: readonly T[], columns: readonly Column<T>[], empty: string): Promise<void> {
    await this.result({ items }, () => {
      if (items.length === 0) {
        this.note(empty)
        return []
      }
      const [head, ...rows] = renderTable(items, columns, this.width)
      return [this.styles.dim(head!), ...rows]
    })
  }

  /** Something to know that is not the result, to stderr. Not with --quiet. */
  note(text: string): void {
    if (!this.quiet) process.stderr.write(`${screened(text)}\n`)
  }

  /** Something that should not be, to stderr. */
  warn(text: string): void {
    process.stderr.write(`${this.noteStyles.yellow('warning:')} ${screened(text)}\n`)
  }

  async complain(failure: CliFailure): Promise<void> {
    const lines = [
      `${this.noteStyles.red('error:')} ${failure.message}`,
      ...failure.details.map(detail => `  ${detail}`),
    ]
    for (const line of lines) process.stderr.write(`${screened(line)}\n`)
    const hint = failure.hint ?? (await this.#suggestion(failure))
    if (hint) process.stderr.write(`${this.noteStyles.dim('hint:')} ${screened(hint)}\n`)
  }

  /** What was likely meant by a name that there is not. */
  async #suggestion({ exitCode, path }: CliFailure): Promise<string | undefined> {
    if (exitCode !== EXIT.notFound || path === undefined || this.#client === undefined) return undefined
    const { suggestionFor } = await import('./client/suggest.ts')
    return suggestionFor(path, await this.#client)
  }

  close(): void {
    void this.#client?.then(client => client.close()).catch(() => undefined)
  }
}

function formatOf(text = 'table'): OutputFormat {
  const format = OUTPUT_FORMATS.find(one => one === text)
  if (format === undefined)
    throw usage(`ATELIER_OUTPUT ${JSON.stringify(text)} is not one of ${OUTPUT_FORMATS.join(', ')}`)
  return format
}
