/** How one setting is written: `--flag`, `ATELIER_FLAG`, or `flag:` in the file. */
export interface ServerOption {
  readonly name: string
  readonly type: 'text' | 'integer' | 'boolean' | 'choice'
  readonly choices?: readonly string[]
  readonly min?: number
  readonly max?: number
  /** Shown and used; `undefined` when it is worked out (the description says how). */
  readonly default: string | number | boolean | undefined
  readonly description: string
}
