import { isUtf8 } from 'node:buffer'
import type { AsyncCalls } from '../../async/index.ts'
import type { DialectRecord } from '../../control/index.ts'
import { AtelierError, type FunctionTable, type TableFunction } from '../../core/index.ts'
import type { Invoker } from '../../invoker/index.ts'
import { CallFailure, callWhole } from '../call.ts'
import { EngineError, type KeptRoute, type RunAnswer, type RunCall } from './engine.ts'
import { engineError, runFailure } from './failures.ts'
import { checkJsonWebToken } from './jwt.ts'
import { appNameOf } from './names.ts'

export interface RunnerParts {
  /** The route that is called, whoever's it is; rejects when there is none. */
  find(app: string, path: string): Promise<DialectRecord<KeptRoute>>
  /** The key that its callers' tokens are signed with. */
  jwtKey(found: DialectRecord<KeptRoute>): Promise<string>
  readonly invoker: Invoker
  readonly async: AsyncCalls
  readonly table: FunctionTable
}

/** What `/stats` of IronFunctions tells: of this process, since it started. */
export interface RunCounters {
  queued: number
  running: number
  complete: number
}

const TRIGGER = 'ironfunctions'

/** Calls routes of our own engine: synchronous ones at once, asynchronous ones durably. */
export class Runner {
  readonly counters: RunCounters = { queued: 0, running: 0, complete: 0 }
  readonly #parts: RunnerParts

  constructor(parts: RunnerParts) {
    this.#parts = parts
  }

  /** See `Engine.run`. */
  async run(call: RunCall): Promise<RunAnswer> {
    const found = await this.#parts.find(call.app, call.path).catch(failed)
    const { body: kept, projectId } = found
    const target = this.#target(projectId, call.app, kept)
    // The function may have been closed past the route, by the platform's own API.
    const isOpen = kept.isPublic && target.access === 'public'
    if (!isOpen && call.by?.projectId !== projectId)
      throw new EngineError(404, 'Route not found on that application')
    const headers = kept.hasKey ? await this.#admitted(call, await this.#parts.jwtKey(found)) : call.headers
    const request = { method: call.method, path: `${call.path}${call.query}`, headers }
    if (kept.route.type === 'async') return this.#defer(target, request, call.payload)
    this.counters.running++
    try {
      const answer = await callWhole(
        this.#parts.invoker,
        { target, qualifier: undefined, trigger: TRIGGER, ...request, body: call.payload },
        call.signal,
      )
      if (answer.status !== 200)
        throw new EngineError(500, exitMessage(answer.body), {
          invocationId: answer.id,
          headers: routeHeaders(kept),
        })
      return {
        kind: 'sync',
        id: answer.id,
        status: 200,
        headers: withRouteHeaders(answer.headers, kept),
        body: answer.body,
      }
    } catch (error) {
      if (error instanceof CallFailure)
        throw runFailure(error, kept.route.format === 'http', error.invocationId)
      throw error
    } finally {
      this.counters.running--
      this.counters.complete++
    }
  }

  async #defer(
    target: TableFunction,
    request: Pick<RunCall, 'method' | 'path' | 'headers'>,
    payload: Uint8Array,
  ): Promise<RunAnswer> {
    const { projectId, id: functionId } = target
    const [accepted] = await this.#parts.async
      // A payload that is no text cannot be said in a task of IronFunctions': its function alone gets it.
      .accept([
        { projectId, functionId, trigger: TRIGGER, ...request, body: payload, reservable: isUtf8(payload) },
      ])
      .catch(failed)
    this.counters.queued++
    return { kind: 'async', id: accepted!.id }
  }

  /** The caller's headers without its proof, when that is right. */
  async #admitted({ headers }: RunCall, key: string): Promise<readonly string[]> {
    const at = headers.findIndex((name, i) => i % 2 === 0 && name === 'authorization')
    await checkJsonWebToken(at < 0 ? undefined : headers[at + 1], key)
    return headers.toSpliced(at, 2)
  }

  #target(projectId: string, app: string, kept: KeptRoute): TableFunction {
    const { table } = this.#parts
    const project = table.projects.get(projectId)
    const target = project && table.byPath(project.name, appNameOf(app), kept.functionName)
    if (target) return target
    throw new EngineError(404, 'Route not found on that application')
  }
}

function failed(error: unknown): never {
  throw error instanceof AtelierError ? engineError(error) : error
}

/** What the stdio contract says of a process that ended with another code than 0. */
function exitMessage(body: Buffer): string {
  try {
    const { error } = JSON.parse(body.toString()) as { error?: { message?: unknown } }
    if (typeof error?.message === 'string') return error.message
  } catch {
    // It is no answer of that contract: the status alone says that it failed.
  }
  return 'The function failed'
}

/** The first value of each. */
function routeHeaders({ route }: KeptRoute): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(route.headers).flatMap(([name, [value]]) =>
      value === undefined ? [] : [[name.toLowerCase(), value]],
    ),
  )
}

function withRouteHeaders(headers: readonly string[], kept: KeptRoute): readonly string[] {
  if (!hasAny(kept.route.headers)) return headers // as nearly always: it is on every call's way
  const own = routeHeaders(kept)
  const kepts = headers.filter((_, i) => own[headers[i & ~1]!] === undefined)
  return [...kepts, ...Object.entries(own).flat()]
}

function hasAny(headers: object): boolean {
  for (const _ in headers) return true
  return false
}
