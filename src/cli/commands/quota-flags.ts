import { QUOTA_NAMES, type Quota } from '../../core/index.ts'
import { usage } from '../failure.ts'
import type { Options } from '../options.ts'
import type { OptionSpec } from '../spec.ts'
import { parseMemory, parseSize, showSize } from '../units.ts'

export type QuotaName = keyof Quota

interface QuotaFlag {
  /** After `--`; also how tables call it. */
  readonly flag: string
  readonly value: 'count' | 'calls' | 'size'
  readonly help: string
}

/** How each quota is called on the command line, the same in every command. */
const FLAGS: Readonly<Record<QuotaName, QuotaFlag>> = {
  functions: { flag: 'functions', value: 'count', help: 'Functions' },
  versions: { flag: 'versions', value: 'count', help: 'Versions of all functions' },
  triggers: { flag: 'triggers', value: 'count', help: 'Triggers of all kinds' },
  storageBytes: { flag: 'storage', value: 'size', help: 'Packages and what is built from them: 5Gi' },
  memoryMiB: { flag: 'memory', value: 'size', help: 'Memory that is reserved for always-on instances: 4Gi' },
  concurrency: { flag: 'concurrency', value: 'calls', help: 'Calls at once' },
  callsPerMinute: { flag: 'calls-per-minute', value: 'calls', help: 'Calls that begin within a minute' },
  queuedCalls: { flag: 'queued-calls', value: 'calls', help: 'Asynchronous calls that wait' },
  queuedBytes: { flag: 'queued-bytes', value: 'size', help: 'Bodies of asynchronous calls: 512Mi' },
}

export const QUOTA_OPTIONS: readonly OptionSpec[] = QUOTA_NAMES.map(name => {
  const { flag, value, help } = FLAGS[name]
  return { flags: `--${flag} <${value}>`, help: `${help}; or "default"` }
})

export function quotaTitle(name: QuotaName): string {
  return FLAGS[name].flag
}

/** A quota's number as people read it. */
export function showQuota(name: QuotaName, value: number): string {
  if (FLAGS[name].value !== 'size') return String(value)
  return showSize(name === 'memoryMiB' ? value * 1024 ** 2 : value)
}

/** What `QUOTA_OPTIONS` were given; `undefined` is the default. Throws CliFailure for what is no number. */
export function quotaChangesFrom(options: Options): ReadonlyMap<QuotaName, number | undefined> {
  const changes = new Map<QuotaName, number | undefined>()
  for (const name of QUOTA_NAMES) {
    const { flag, value } = FLAGS[name]
    const text = options.text(flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()))
    if (text === undefined) continue
    const parsed = text === 'default' ? undefined : parsedAs(name, text, value === 'size')
    if (Number.isNaN(parsed))
      throw usage(
        `--${flag} ${JSON.stringify(text)} is neither ${value === 'size' ? 'a size such as 5Gi' : 'a whole number'} nor "default"`,
      )
    changes.set(name, parsed)
  }
  return changes
}

function parsedAs(name: QuotaName, text: string, isSize: boolean): number {
  if (!isSize) return /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  // A bare number is MiB of memory, as in every other option of the kind.
  if (name === 'memoryMiB') return text === '0' ? 0 : (parseMemory(text) ?? Number.NaN)
  return parseSize(text) ?? Number.NaN
}
