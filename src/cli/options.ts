import { parseDuration } from '../core/index.ts'
import { usage } from './failure.ts'
import { parseCpu, parseMemory, parseSince } from './units.ts'

/** The options of one command line, read by type. What is not given is `undefined`; what cannot be read is a usage failure. */
export class Options {
  readonly #values: Readonly<Record<string, unknown>>

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values
  }

  text(name: string): string | undefined {
    const value = this.#values[name]
    return typeof value === 'string' ? value : undefined
  }

  flag(name: string): boolean {
    return this.#values[name] === true
  }

  list(name: string): readonly string[] {
    const value = this.#values[name]
    return Array.isArray(value) ? value.map(String) : []
  }

  integer(name: string, flag: string, range: { min: number; max?: number }): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN
    const max = range.max ?? Number.MAX_SAFE_INTEGER
    if (value >= range.min && value <= max) return value
    const wanted = range.max === undefined ? `${range.min} or more` : `${range.min} to ${range.max}`
    throw usage(`${flag} ${JSON.stringify(text)} is not a whole number of ${wanted}`)
  }

  number(name: string, flag: string): number | undefined {
    return this.#read(
      name,
      flag,
      text => (/^\d+(?:\.\d+)?$/.test(text) ? Number(text) : undefined),
      'a number such as 2 or 0.5',
    )
  }

  durationMs(name: string, flag: string): number | undefined {
    return this.#read(name, flag, parseDuration, 'a time such as 500ms, 30s, 5m, 2h or 1d')
  }

  memoryMiB(name: string, flag: string): number | undefined {
    return this.#read(name, flag, parseMemory, 'an amount of memory such as 128, 256Mi or 1Gi')
  }

  cpuMillicores(name: string, flag: string): number | undefined {
    return this.#read(name, flag, parseCpu, 'an amount of CPU such as 500m, 0.5 or 2')
  }

  /** A point in time as RFC 3339. */
  time(name: string, flag: string, nowMs: number): string | undefined {
    return this.#read(
      name,
      flag,
      text => parseSince(text, nowMs),
      'a time ago (10m, 2h) or a date (2030-01-31T12:00:00Z)',
    )
  }

  /** `KEY=VALUE` pairs; `undefined` when there are none. */
  pairs(name: string, flag: string): Record<string, string> | undefined {
    const entries = this.list(name).map(pair => {
      const at = pair.indexOf('=')
      if (at < 1) throw usage(`${flag} ${JSON.stringify(pair)} is not KEY=VALUE`)
      return [pair.slice(0, at), pair.slice(at + 1)] as const
    })
    return entries.length === 0 ? undefined : Object.fromEntries(entries)
  }

  #read<T>(
    name: string,
    flag: string,
    parse: (text: string) => T | undefined,
    wanted: string,
  ): T | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const value = parse(text)
    if (value === undefined) throw usage(`${flag} ${JSON.stringify(text)} is not ${wanted}`)
    return value
  }
}
