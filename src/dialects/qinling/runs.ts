import type { DialectRecord } from '../../control/index.ts'
import { AtelierError, type TableFunction } from '../../core/index.ts'
import { CallFailure, callWhole } from '../call.ts'
import type { DialectParts } from '../dialect.ts'
import { QinlingError } from './answers.ts'
import { targetOf } from './deploy.ts'
import { pythonJson } from './json.ts'
import {
  type Kept,
  type KeptFunction,
  type KeptRuntime,
  type KeptVersion,
  KINDS,
  type Running,
} from './kept.ts'
import { type Outcome, outcomeOfAnswer, outcomeOfFailure, outcomeOfImage } from './outcome.ts'
import { Newest } from './retention.ts'
import { Tally } from './tally.ts'
import { type KeptText, Texts } from './texts.ts'

export interface KeptExecution {
  readonly functionId: string
  /** Whose the function is: administrators may run others'. */
  readonly functionProjectId: string
  readonly functionVersion: number
  readonly functionAlias: string | null
  readonly description: string | null
  readonly sync: boolean
  readonly status: 'running' | 'success' | 'failed' | 'error'
  readonly input: KeptText | null
  readonly result: KeptText | null
  /** What a container printed on its standard output. */
  readonly printed: KeptText | null
  /** Of the invocation: its log is found by it. */
  readonly callId: string | null
  /** When it must have ended, whatever became of it. */
  readonly endsBy: number
}

export interface NewRun {
  readonly found: DialectRecord<KeptFunction>
  readonly version: number
  readonly alias: string | null
  readonly description: string | null
  readonly sync: boolean
  /** What the execution is shown with, and what the function is given, as JSON. */
  readonly input: Input | undefined
  /** Whose it is. */
  readonly projectId: string
  /** One run for each. */
  readonly onceKey?: string
}

export interface Input {
  readonly shown: string
  readonly json: string
}

const TRIGGER = 'qinling'
const GRACE_MS = 600_000 // for waiting and starting, beyond a function's own time
const QUEUED_MS_MAX = 6 * 3_600_000 // as long as a call that waits is worth running

/** Executions: invocations of the platform, kept as Qinling shows them. */
export class Runs {
  readonly texts: Texts
  readonly #parts: Pick<DialectParts, 'invoker' | 'async' | 'table' | 'clock' | 'records'>
  readonly #kept: Kept
  readonly #tally: Tally
  readonly #newest: Newest

  constructor(parts: Pick<DialectParts, 'invoker' | 'async' | 'table' | 'clock' | 'records'>, kept: Kept) {
    this.#parts = parts
    this.#kept = kept
    this.texts = new Texts(parts.records)
    this.#newest = new Newest(parts.records, this.texts)
    this.#tally = new Tally((key, more) => this.#count(key, more))
  }

  /** Begins one; a synchronous one has ended when this resolves. 404 and 409 when there is nothing that could run. */
  async start(run: NewRun): Promise<DialectRecord<KeptExecution>> {
    const { running, key } = await this.#running(run)
    const target = targetOf(this.#parts, run.found.projectId, run.found.id, run.version)
    if (target === undefined) throw new QinlingError(404, `Function not found [id=${run.found.id}]`)
    const { clock } = this.#parts
    const limitMs = running.timeout * 1000 + GRACE_MS + (run.sync ? 0 : QUEUED_MS_MAX)
    const made = await this.#kept.add<KeptExecution>(KINDS.execution, {
      projectId: run.projectId,
      parent: run.found.id,
      ...(run.onceKey !== undefined && { key: run.onceKey }),
      body: {
        functionId: run.found.id,
        functionProjectId: run.found.projectId,
        functionVersion: run.version,
        functionAlias: run.alias,
        description: run.description,
        sync: run.sync,
        status: 'running',
        input: null,
        result: null,
        printed: null,
        callId: null,
        endsBy: clock.now() + limitMs,
      },
    })
    const input = await this.#keepInput(made, run.input)
    const [withInput] = await Promise.all([
      input === undefined ? made : this.#change(made, { input }),
      this.#tally.add(key),
      this.#newest.made(run.projectId),
    ])
    const call = callOf(made.id, running, run.input)
    return run.sync ? this.#call(withInput, target, running, call) : this.#defer(withInput, target, call)
  }

  /** Rejects with 403 where there is no room for it, and then nothing is left of the execution. */
  async #keepInput(
    { projectId, id }: DialectRecord<KeptExecution>,
    input: Input | undefined,
  ): Promise<KeptText | undefined> {
    try {
      return input && (await this.texts.keep(projectId, id, 'input', input.shown))
    } catch (error) {
      await this.#kept.records.delete(KINDS.execution, id)
      throw error
    }
  }

  /** As it is now: one that ran behind its caller's back may have ended meanwhile. */
  async fresh(record: DialectRecord<KeptExecution>): Promise<DialectRecord<KeptExecution>> {
    const { body } = record
    if (body.status !== 'running') return record
    const outcome = body.callId === null || body.sync ? undefined : await this.#ended(body)
    if (outcome) return this.#finish(record, outcome)
    if (this.#parts.clock.now() <= body.endsBy) return record
    return this.#finish(record, { status: 'error', result: null })
  }

  async #call(
    record: DialectRecord<KeptExecution>,
    target: TableFunction,
    running: Running,
    call: ReturnType<typeof callOf>,
  ): Promise<DialectRecord<KeptExecution>> {
    const { invoker, clock } = this.#parts
    const started = clock.monotonic()
    const tookMs = (): number => clock.monotonic() - started
    try {
      const answer = await callWhole(invoker, { target, qualifier: undefined, trigger: TRIGGER, ...call })
      return await this.#finish(record, outcomeOf(running, answer, tookMs()), {
        callId: answer.id,
        ...(running.code.source === 'image' && answer.status === 200 && { printed: answer.body.toString() }),
      })
    } catch (error) {
      if (!(error instanceof CallFailure)) throw error
      const outcome = outcomeOfFailure(error.code, error.message, tookMs())
      return this.#finish(record, outcome, { callId: error.invocationId })
    }
  }

  async #defer(
    record: DialectRecord<KeptExecution>,
    target: TableFunction,
    call: ReturnType<typeof callOf>,
  ): Promise<DialectRecord<KeptExecution>> {
    const { projectId, id: functionId } = target
    try {
      const [accepted] = await this.#parts.async.accept([
        { projectId, functionId, trigger: TRIGGER, idempotencyKey: record.id, ...call },
      ])
      return await this.#change(record, { callId: accepted!.id })
    } catch (error) {
      await this.#finish(record, { status: 'error', result: null })
      throw error
    }
  }

  /** How an asynchronous one ended; `undefined` while it has not. */
  async #ended(body: KeptExecution): Promise<(Outcome & { readonly printed?: string }) | undefined> {
    const { async } = this.#parts
    try {
      const call = await async.get(body.functionProjectId, body.callId!)
      if (call.state === 'queued' || call.state === 'running') return undefined
      const tookMs = (call.endedAt ?? 0) - (call.startedAt ?? call.endedAt ?? 0)
      if (call.httpStatus === 0)
        return outcomeOfFailure(call.lastFailure?.code ?? '', call.lastFailure?.message ?? '', tookMs)
      const answer = await async.result(body.functionProjectId, body.callId!)
      const found = await this.#kept.records.get<KeptFunction>(KINDS.function, body.functionId)
      if (found?.body.code.source !== 'image')
        return outcomeOfAnswer(answer.status, answer.headers, Buffer.from(answer.body))
      const printed = answer.status === 200 ? { printed: Buffer.from(answer.body).toString() } : {}
      return { ...outcomeOfImage(answer.status, tookMs), ...printed }
    } catch (error) {
      if (error instanceof AtelierError && error.code === 'NOT_FOUND')
        return { status: 'error', result: null }
      if (error instanceof AtelierError && error.code === 'CONFLICT')
        return outcomeOfFailure('FUNCTION_FAILED', '', 0)
      throw error
    }
  }

  async #finish(
    record: DialectRecord<KeptExecution>,
    { status, result, printed }: Outcome & { readonly printed?: string },
    more: { readonly callId?: string; readonly printed?: string } = {},
  ): Promise<DialectRecord<KeptExecution>> {
    const output = printed ?? more.printed
    return this.#change(record, {
      status,
      result: result === null ? null : await this.#keep(record, 'result', result),
      printed: output === undefined ? null : await this.#keep(record, 'printed', output),
      ...(more.callId !== undefined && { callId: more.callId }),
    })
  }

  /** It has run: where there is no room for what came of it, that is told in its place. */
  async #keep(
    { projectId, id }: DialectRecord<KeptExecution>,
    field: 'result' | 'printed',
    text: string,
  ): Promise<KeptText> {
    try {
      return await this.texts.keep(projectId, id, field, text)
    } catch (error) {
      if (!(error instanceof QinlingError)) throw error
      return field === 'result' ? pythonJson({ output: error.message }) : `${error.message}\n`
    }
  }

  /** Deleting one does not stop it: then it is as it would have been. */
  async #change(
    record: DialectRecord<KeptExecution>,
    change: Partial<KeptExecution>,
  ): Promise<DialectRecord<KeptExecution>> {
    try {
      return await this.#kept.records.update<KeptExecution>(KINDS.execution, record.id, body => ({
        ...body,
        ...change,
      }))
    } catch (error) {
      if (!(error instanceof AtelierError && error.code === 'NOT_FOUND')) throw error
      return { ...record, body: { ...record.body, ...change } }
    }
  }

  /** What runs, and where it is counted. */
  async #running({ found, version }: NewRun): Promise<{ running: Running; key: string }> {
    if (version > 0 && found.body.code.source !== 'package')
      throw new QinlingError(400, 'Can not specify version for package type function.')
    const frozen = version === 0 ? undefined : await this.#kept.version(found.id, version)
    const running: Running = frozen?.body ?? found.body
    const runtime =
      running.runtimeId === null
        ? undefined
        : await this.#kept.records.get<KeptRuntime>(KINDS.runtime, running.runtimeId)
    if (running.runtimeId !== null && runtime?.body.status !== 'available')
      throw new QinlingError(409, `Runtime ${running.runtimeId} is not available.`)
    return { running, key: frozen ? `${KINDS.version} ${frozen.id}` : `${KINDS.function} ${found.id}` }
  }

  async #count(key: string, more: number): Promise<void> {
    const [kind = '', id = ''] = key.split(' ')
    await this.#kept.records
      .update<KeptFunction | KeptVersion>(kind, id, body => ({ ...body, count: body.count + more }))
      .catch((error: unknown) => {
        if (!(error instanceof AtelierError && error.code === 'NOT_FOUND')) throw error
      })
  }
}

function outcomeOf(
  running: Running,
  answer: { readonly status: number; readonly headers: readonly string[]; readonly body: Buffer },
  tookMs: number,
): Outcome {
  return running.code.source === 'image'
    ? outcomeOfImage(answer.status, tookMs)
    : outcomeOfAnswer(answer.status, answer.headers, answer.body)
}

/** The request that a function of Qinling gets. */
function callOf(executionId: string, { timeout, code }: Running, input: Input | undefined) {
  // An image's program is no function: it reads the text as it is.
  const body = code.source === 'image' ? input?.shown : input?.json
  const headers = [
    'content-type',
    'application/json',
    'qinling-execution-id',
    executionId,
    'qinling-timeout-ms',
    String(timeout * 1000),
  ]
  return { method: 'POST', path: '/', headers, body: body === undefined ? null : Buffer.from(body) }
}
