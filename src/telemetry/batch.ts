import { type Invocation, newId } from '../core/index.ts'

/** What many records of a project have in common. */
export interface Source {
  readonly functionId: string
  readonly appName: string
  readonly functionName: string
  readonly version: number
  readonly memoryMiB: number
  readonly trigger: string
  /** Of the trigger, where one caused the call. */
  readonly triggerName?: string
}

/** Records of one project as a few flat arrays: two are copied in one piece each, the others are short. */
export interface PackedRecords {
  readonly count: number
  /** The least and the greatest of the records' own ids. */
  readonly min: string
  readonly max: string
  /** Whether attempts of asynchronous calls are among them. */
  readonly hasAttempts: boolean
  /** `Column` by `Column`, a row for each record. */
  readonly numbers: Float64Array
  /** Id, call's id and traceparent of each record, one after the other, in Latin-1. */
  readonly bytes: Buffer
  readonly sources: readonly Source[]
  /** What records say in words; the first stands for nothing said. */
  readonly words: readonly string[]
}

/** Where a record's numbers stand in its row. Those of the first group are places in `sources` and `words`. */
export const Column = {
  source: 0,
  status: 1,
  fault: 2,
  errorCode: 3,
  errorMessage: 4,
  instanceId: 5,
  httpStatus: 6,
  cold: 7,
  startedAt: 8,
  queuedMs: 9,
  startingMs: 10,
  initialisingMs: 11,
  runningMs: 12,
  billedMs: 13,
  /** NaN: not known. */
  memoryPeakBytes: 14,
  bytesIn: 15,
  bytesOut: 16,
  idLength: 17,
  /** 0: none. */
  traceparentLength: 18,
  /** 0: it was called directly. */
  attempt: 19,
  heldMs: 20,
  /** Of an attempt, whose own id tells when it ran: the id of its call. 0: none. */
  callLength: 21,
} as const

export const COLUMNS = 22

const CAPACITY_FIRST = 8
const CAPACITY_KEPT_MAX = 4_096
const BYTES_PER_RECORD = 96 // a ULID and a traceparent take 81

/**
 * Gathers a project's records without keeping their objects: what lives until the next flush would be moved by the
 * garbage collector, which costs the thread that carries the calls more than writing it down.
 */
export class RecordPacker {
  #count = 0
  #min = ''
  #max = ''
  #hasAttempts = false
  #numbers!: Float64Array
  #bytes!: Buffer
  #bytesUsed = 0
  #sources: Source[] = []
  readonly #sourcesOf = new Map<string, number[]>()
  #words: string[] = ['']
  readonly #wordPlaces = new Map<string, number>()

  constructor() {
    this.#reserve()
  }

  get count(): number {
    return this.#count
  }

  /** Of an attempt `ownId` tells when it ran; ids of calls do so themselves. */
  add(record: Invocation, ownId?: string): void {
    const at = this.#count * COLUMNS
    if (at === this.#numbers.length) this.#widen()
    const numbers = this.#numbers
    numbers[at + Column.source] = this.#placeOfSource(record)
    numbers[at + Column.status] = this.#placeOf(record.status)
    numbers[at + Column.fault] = this.#placeOf(record.fault)
    numbers[at + Column.errorCode] = this.#placeOf(record.errorCode)
    numbers[at + Column.errorMessage] = this.#placeOf(record.errorMessage)
    numbers[at + Column.instanceId] = this.#placeOf(record.instanceId)
    numbers[at + Column.httpStatus] = record.httpStatus
    numbers[at + Column.cold] = record.cold ? 1 : 0
    numbers[at + Column.startedAt] = record.startedAt
    numbers[at + Column.queuedMs] = record.queuedMs
    numbers[at + Column.startingMs] = record.startingMs
    numbers[at + Column.initialisingMs] = record.initialisingMs
    numbers[at + Column.runningMs] = record.runningMs
    numbers[at + Column.billedMs] = record.billedMs
    numbers[at + Column.memoryPeakBytes] = record.memoryPeakBytes ?? Number.NaN
    numbers[at + Column.bytesIn] = record.bytesIn
    numbers[at + Column.bytesOut] = record.bytesOut
    const { attempt = 0 } = record
    const id = attempt === 0 ? record.id : (ownId ?? newId(record.startedAt))
    numbers[at + Column.idLength] = this.#write(id)
    numbers[at + Column.callLength] = attempt === 0 ? 0 : this.#write(record.id)
    numbers[at + Column.traceparentLength] =
      record.traceparent === undefined ? 0 : this.#write(record.traceparent)
    numbers[at + Column.attempt] = attempt
    numbers[at + Column.heldMs] = record.heldMs ?? 0
    if (attempt !== 0) this.#hasAttempts = true
    if (this.#count === 0 || id < this.#min) this.#min = id
    if (this.#count === 0 || id > this.#max) this.#max = id
    this.#count++
  }

  /** Hands all of them over to be copied at once, and begins anew: its arrays are used again for the next. */
  take<R>(copy: (records: PackedRecords) => R): R {
    const taken = copy({
      count: this.#count,
      min: this.#min,
      max: this.#max,
      hasAttempts: this.#hasAttempts,
      numbers: this.#numbers.subarray(0, this.#count * COLUMNS),
      bytes: this.#bytes.subarray(0, this.#bytesUsed),
      sources: this.#sources,
      words: this.#words,
    })
    this.#count = 0
    this.#hasAttempts = false
    this.#bytesUsed = 0
    this.#sources = []
    this.#sourcesOf.clear()
    this.#words = ['']
    this.#wordPlaces.clear()
    if (this.#numbers.length > CAPACITY_KEPT_MAX * COLUMNS) this.#reserve()
    return taken
  }

  #reserve(): void {
    this.#numbers = new Float64Array(CAPACITY_FIRST * COLUMNS)
    this.#bytes = Buffer.allocUnsafeSlow(CAPACITY_FIRST * BYTES_PER_RECORD)
  }

  #placeOfSource(record: Invocation): number {
    const { functionId, appName, functionName, version, memoryMiB, trigger, triggerName } = record
    // Thousands of triggers may call one function at the same time: each finds its own at once.
    const key = triggerName === undefined ? functionId : `${functionId} ${triggerName}`
    let places = this.#sourcesOf.get(key)
    if (places === undefined) this.#sourcesOf.set(key, (places = []))
    for (const place of places) if (isFrom(record, this.#sources[place]!)) return place
    const source = { functionId, appName, functionName, version, memoryMiB, trigger }
    const place = this.#sources.push(triggerName === undefined ? source : { ...source, triggerName }) - 1
    places.push(place)
    return place
  }

  #placeOf(word: string | undefined): number {
    if (word === undefined) return 0
    let place = this.#wordPlaces.get(word)
    if (place === undefined) this.#wordPlaces.set(word, (place = this.#words.push(word) - 1))
    return place
  }

  #write(text: string): number {
    while (this.#bytes.length - this.#bytesUsed < text.length) {
      const wider = Buffer.allocUnsafeSlow(2 * this.#bytes.length)
      wider.set(this.#bytes)
      this.#bytes = wider
    }
    this.#bytesUsed += this.#bytes.write(text, this.#bytesUsed, 'latin1')
    return text.length
  }

  #widen(): void {
    const wider = new Float64Array(2 * this.#numbers.length)
    wider.set(this.#numbers)
    this.#numbers = wider
  }
}

function isFrom(record: Invocation, source: Source): boolean {
  return (
    record.version === source.version &&
    record.trigger === source.trigger &&
    record.triggerName === source.triggerName &&
    record.functionName === source.functionName &&
    record.appName === source.appName &&
    record.memoryMiB === source.memoryMiB
  )
}
