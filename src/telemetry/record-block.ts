import type { Invocation } from '../core/index.ts'
import { COLUMNS, Column, type PackedRecords, type Source } from './batch.ts'
import { encodeBlock } from './block.ts'

const DAY_MS = 86_400_000

/** What a reader looks at before it takes a block of records. */
export interface RecordMeta {
  readonly count: number
  readonly min: string
  readonly max: string
  readonly hasAttempts: boolean
  readonly sources: readonly Source[]
  readonly words: readonly string[]
  readonly sums: readonly Sum[]
}

/** Place of a source, day since the epoch, calls, errors, billed ms, bytes in, bytes out. */
export type Sum = [
  source: number,
  day: number,
  calls: number,
  errors: number,
  billedMs: number,
  bytesIn: number,
  bytesOut: number,
]

export function encodeRecords(records: PackedRecords, options: { readonly summed: boolean }): Buffer {
  const { count, min, max, hasAttempts, sources, words, numbers, bytes } = records
  const sums = options.summed ? sumsOf(records) : []
  const meta: RecordMeta = { count, min, max, hasAttempts, sources, words, sums }
  return encodeBlock(meta, [new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength), bytes])
}

/** The records of a block, one at a time and only as far as they are looked at. */
export class RecordRows {
  readonly #projectId: string
  readonly #meta: RecordMeta
  readonly #numbers: Float64Array
  readonly #text: Buffer
  /** Where each record's text begins. */
  readonly #starts: Uint32Array

  /** `body` begins at a multiple of eight in its memory. */
  constructor(projectId: string, meta: RecordMeta, body: Buffer) {
    this.#projectId = projectId
    this.#meta = meta
    this.#numbers = new Float64Array(body.buffer, body.byteOffset, meta.count * COLUMNS)
    this.#text = body.subarray(this.#numbers.byteLength)
    this.#starts = new Uint32Array(meta.count)
    let used = 0
    for (let i = 0; i < meta.count; i++) {
      this.#starts[i] = used
      used += this.#number(i, Column.idLength) + this.#number(i, Column.callLength)
      used += this.#number(i, Column.traceparentLength)
    }
  }

  get count(): number {
    return this.#meta.count
  }

  sourceOf(row: number): number {
    return this.#number(row, Column.source)
  }

  statusOf(row: number): number {
    return this.#number(row, Column.status)
  }

  idOf(row: number): string {
    const start = this.#starts[row]!
    return this.#text.toString('latin1', start, start + this.#number(row, Column.idLength))
  }

  /** The id of the call that the record is an attempt of. */
  callOf(row: number): string | undefined {
    const length = this.#number(row, Column.callLength)
    if (length === 0) return undefined
    const start = this.#starts[row]! + this.#number(row, Column.idLength)
    return this.#text.toString('latin1', start, start + length)
  }

  /** Whether any record's text has this in it: quick, for ids that are looked for in many blocks. */
  mayHold(text: string): boolean {
    return this.#text.includes(text, 0, 'latin1')
  }

  recordOf(row: number): Invocation {
    const source = this.#meta.sources[this.sourceOf(row)]!
    const { functionId, functionName, appName, version, trigger, triggerName, memoryMiB } = source
    const number = (column: number): number => this.#number(row, column)
    const word = (column: number): string | undefined => {
      const place = number(column)
      return place === 0 ? undefined : this.#meta.words[place]
    }
    const peak = number(Column.memoryPeakBytes)
    const attempt = number(Column.attempt)
    const optional = {
      triggerName,
      attempt: attempt === 0 ? undefined : attempt,
      heldMs: attempt === 0 ? undefined : number(Column.heldMs),
      fault: word(Column.fault),
      errorCode: word(Column.errorCode),
      errorMessage: word(Column.errorMessage),
      instanceId: word(Column.instanceId),
      memoryPeakBytes: Number.isNaN(peak) ? undefined : peak,
      traceparent: this.#traceparentOf(row),
    }
    const record = {
      id: this.callOf(row) ?? this.idOf(row),
      projectId: this.#projectId,
      functionId,
      functionName,
      appName,
      version,
      trigger,
      status: word(Column.status),
      httpStatus: number(Column.httpStatus),
      ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
      cold: number(Column.cold) === 1,
      startedAt: number(Column.startedAt),
      queuedMs: number(Column.queuedMs),
      startingMs: number(Column.startingMs),
      initialisingMs: number(Column.initialisingMs),
      runningMs: number(Column.runningMs),
      billedMs: number(Column.billedMs),
      memoryMiB,
      bytesIn: number(Column.bytesIn),
      bytesOut: number(Column.bytesOut),
    }
    return record as Invocation
  }

  #traceparentOf(row: number): string | undefined {
    const length = this.#number(row, Column.traceparentLength)
    if (length === 0) return undefined
    const start =
      this.#starts[row]! + this.#number(row, Column.idLength) + this.#number(row, Column.callLength)
    return this.#text.toString('latin1', start, start + length)
  }

  #number(row: number, column: number): number {
    return this.#numbers[row * COLUMNS + column]!
  }
}

/** The records' sums by source and UTC day. A refused call never ran: it is no call here. */
function sumsOf({ count, numbers, sources, words }: PackedRecords): readonly Sum[] {
  const ofSource = sources.map((): Sum[] => [])
  const refused = words.indexOf('refused')
  const bad = [words.indexOf('error'), words.indexOf('timeout')]
  for (let at = 0; at < count * COLUMNS; at += COLUMNS) {
    const status = numbers[at + Column.status]!
    if (status === refused) continue
    const place = numbers[at + Column.source]!
    const day = Math.floor(numbers[at + Column.startedAt]! / DAY_MS)
    let sum = ofSource[place]!.find(each => each[1] === day)
    if (!sum) ofSource[place]!.push((sum = [place, day, 0, 0, 0, 0, 0]))
    sum[2]++
    if (status === bad[0] || status === bad[1]) sum[3]++
    sum[4] += numbers[at + Column.billedMs]!
    sum[5] += numbers[at + Column.bytesIn]!
    sum[6] += numbers[at + Column.bytesOut]!
  }
  return ofSource.flat()
}
