import { LAMBDA_EVENT_SETTING } from '../contracts/index.ts'
import { AtelierError, type InputError, type Limits, type Quota, type Scaling } from '../core/index.ts'

const CONFIG_BYTES_MAX = 64 * 1024
const CONFIG_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/
const CONFIG_NAME_MAX = 256
const DESCRIPTION_CHARACTERS_MAX = 4096
const DAY_MS = 24 * 3_600_000

interface Range {
  readonly min: number
  readonly max: number
}

const LIMIT_RANGES: Readonly<Record<keyof Limits, Range>> = {
  memoryMiB: { min: 32, max: 65_536 },
  cpuMillicores: { min: 50, max: 64_000 },
  timeoutMs: { min: 100, max: DAY_MS },
  concurrency: { min: 1, max: 1_000 },
  tmpMiB: { min: 1, max: 10_240 },
  processesMax: { min: 8, max: 4_096 }, // a runtime alone has some threads, and each counts
  openFilesMax: { min: 64, max: 65_536 },
}

const SCALING_RANGES: Readonly<Record<keyof Scaling, Range>> = {
  instancesMin: { min: 0, max: 1_000 },
  instancesMax: { min: 1, max: 10_000 },
  idleMs: { min: 0, max: DAY_MS },
}

const QUOTA_RANGES: Readonly<Record<keyof Quota, Range>> = {
  functions: { min: 0, max: 1_000_000 },
  versions: { min: 0, max: 100_000_000 },
  memoryMiB: { min: 0, max: 2 ** 30 },
  concurrency: { min: 0, max: 1_000_000 },
  callsPerMinute: { min: 0, max: 1_000_000_000 },
  storageBytes: { min: 0, max: 2 ** 50 },
  triggers: { min: 0, max: 1_000_000 },
  queuedCalls: { min: 0, max: 100_000_000 },
  queuedBytes: { min: 0, max: 2 ** 50 },
}

/** Collects all that is wrong with an input, to say it at once. */
export class Problems {
  readonly #errors: InputError[] = []

  add(pointer: string, detail: string): void {
    this.#errors.push({ pointer, detail })
  }

  /** Throws INVALID_INPUT when anything was added. */
  throwIfAny(): void {
    if (this.#errors.length === 0) return
    const list = this.#errors.map(error => `${error.pointer} ${error.detail}`).join('; ')
    throw new AtelierError('INVALID_INPUT', `${list}.`, { errors: this.#errors })
  }
}

/** `memoryMiBMax` is the most that this installation gives to one instance. */
export function checkLimits(
  limits: Partial<Limits>,
  memoryMiBMax: number | undefined,
  problems: Problems,
): void {
  checkRanges('limits', limits, LIMIT_RANGES, problems)
  if (memoryMiBMax !== undefined && limits.memoryMiB !== undefined && limits.memoryMiB > memoryMiBMax)
    problems.add(
      'limits.memoryMiB',
      `must be at most ${memoryMiBMax}: this platform has no more for an instance`,
    )
}

export function checkScaling(scaling: Scaling, problems: Problems): void {
  checkRanges('scaling', scaling, SCALING_RANGES, problems)
  if (scaling.instancesMin > scaling.instancesMax)
    problems.add('scaling.instancesMin', `must be at most instancesMax (${scaling.instancesMax})`)
}

export function checkQuota(quota: Quota, problems: Problems): void {
  checkRanges('quota', quota, QUOTA_RANGES, problems)
}

export function checkConfig(config: Readonly<Record<string, unknown>>, problems: Problems): void {
  let bytes = 0
  for (const [name, value] of Object.entries(config)) {
    const shown = `config.${name.slice(0, 80)}`
    if (!CONFIG_NAME.test(name) || name.length > CONFIG_NAME_MAX)
      problems.add(shown, 'is not a name: use letters, digits and "_", beginning with no digit')
    else if (name.toUpperCase().startsWith('ATELIER_') && name !== LAMBDA_EVENT_SETTING)
      problems.add(shown, 'is reserved: choose another prefix than ATELIER_')
    if (typeof value !== 'string' || value.includes('\0')) problems.add(shown, 'must be a text without NUL')
    bytes += Buffer.byteLength(name) + Buffer.byteLength(String(value))
  }
  if (bytes > CONFIG_BYTES_MAX)
    problems.add('config', `has ${bytes} bytes of names and values, and ${CONFIG_BYTES_MAX} is the most`)
}

export function checkDescription(description: string | undefined, problems: Problems): void {
  if (description !== undefined && description.length > DESCRIPTION_CHARACTERS_MAX)
    problems.add('description', `must have at most ${DESCRIPTION_CHARACTERS_MAX} characters`)
}

function checkRanges<T extends object>(
  field: string,
  values: T,
  ranges: Readonly<Record<keyof T & string, Range>>,
  problems: Problems,
): void {
  for (const [name, value] of Object.entries(values) as [keyof T & string, unknown][]) {
    if (value === undefined) continue
    const range = Object.hasOwn(ranges, name) ? ranges[name] : undefined
    if (!range) problems.add(`${field}.${name.slice(0, 80)}`, 'does not exist')
    else if (!Number.isInteger(value) || Number(value) < range.min || Number(value) > range.max)
      problems.add(`${field}.${name}`, `must be a whole number from ${range.min} to ${range.max}`)
  }
}
