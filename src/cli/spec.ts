import type { Context } from './context.ts'
import type { Options } from './options.ts'

/**
 * A command as data: `program.ts` makes it parse, `docs/cli.md` and the shell completion are made from it, and the tests
 * go through all of them.
 */
export interface CommandSpec {
  readonly name: string
  readonly aliases?: readonly string[]
  /** One line, for lists of commands; a verb first, no full stop. */
  readonly summary: string
  /** What else one must know, below the usage. */
  readonly details?: string
  readonly args?: readonly ArgSpec[]
  readonly options?: readonly OptionSpec[]
  /** Not empty. The command line as typed, and what it does. */
  readonly examples: readonly Example[]
  run(call: CommandCall): Promise<void>
}

/** Several commands under one noun. */
export interface GroupSpec {
  readonly name: string
  readonly aliases?: readonly string[]
  readonly summary: string
  readonly commands: readonly CommandSpec[]
}

export type Example = readonly [command: string, does: string]

export interface ArgSpec {
  /** `<function>` when it must be there, `[folder]` when not, `[value...]` for any number. */
  readonly syntax: string
  readonly help: string
  /** What shell completion offers. */
  readonly completes?: Completes
}

export interface OptionSpec {
  /** As commander reads them: `-f, --follow`, `--since <time>`. */
  readonly flags: string
  readonly help: string
  readonly choices?: readonly string[]
  /** May be given several times; all values are kept. */
  readonly repeats?: boolean
}

export type Completes = 'function' | 'app' | 'file' | 'template' | 'trigger' | 'topic' | 'secret' | 'project'

export interface CommandCall {
  readonly context: Context
  /** One for each entry of `args`; what was left out is `undefined`. */
  readonly args: readonly (string | undefined)[]
  /** What a last argument of the form `[x...]` took. */
  readonly rest: readonly string[]
  readonly options: Options
}

export function isGroup(spec: CommandSpec | GroupSpec): spec is GroupSpec {
  return 'commands' in spec
}
