import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AsyncCalls, ReservedCall } from '../../async/index.ts'
import { callEntries, configEntries, payloadOf } from '../../contracts/index.ts'
import { AtelierError, BODY_BYTES_BUFFERED_MAX, type Principal } from '../../core/index.ts'
import { type Engine, EngineError, engineAppOf, isObject } from '../engine/index.ts'
import { needRight } from '../rights.ts'
import { bodyOf, JSON_TYPE } from './answers.ts'
import type { WhoCalls } from './callers.ts'

/** How long a worker has to tell that it took what it was given. */
const RESERVED_MS = 60_000
/** A task holds a payload in JSON, where bytes may need more than one. */
const TASK_BYTES_MAX = 3 * BODY_BYTES_BUFFERED_MAX
const ID = /^[0-9a-z]{26}$/
const NEVER = '0001-01-01T00:00:00.000Z'
const TAKEN =
  'A worker outside took the call by DELETE /tasks: it is run there, and nothing of it is known here.'

/** As IronFunctions 0.2.72 writes one that nobody has begun. */
interface Task {
  readonly image: string
  readonly payload: string
  readonly priority: 0
  readonly id: string
  readonly app_name: string
  readonly path: string
  readonly env_vars: Readonly<Record<string, string>>
  readonly created_at: string
  readonly started_at: string
  readonly completed_at: string
}

interface TaskParts {
  readonly engine: Engine
  readonly async: AsyncCalls
  readonly who: WhoCalls
}

/** `/tasks`, and `/v1/tasks` as upstream's own document has it: workers outside take queued calls of their project. */
export function taskRoutes(server: FastifyInstance, { engine, async, who }: TaskParts): void {
  const worker = async (request: FastifyRequest): Promise<Principal> => {
    const by = await who(request)
    needRight(by, 'write') // also to look: what is looked at is taken
    return by
  }

  const workers = new WeakMap<FastifyRequest, Principal>()

  for (const url of ['/tasks', '/v1/tasks']) {
    // Not for HEAD: to look at it takes it.
    server.get(url, { exposeHeadRoute: false }, async (request, reply) => {
      const by = await worker(request)
      const reserved = await async.reserve(by.projectId, RESERVED_MS)
      const task = reserved && (await taskOf(engine, by, reserved).catch(unlessGone))
      return accepted(reply.header('cache-control', 'no-store'), task)
    })

    server.delete(
      url,
      // Before the body comes, which may be large.
      {
        bodyLimit: TASK_BYTES_MAX,
        onRequest: async request => void workers.set(request, await worker(request)),
      },
      async (request, reply) => {
        const task = taskIn(request)
        await async.takeReserved(workers.get(request)!.projectId, task.id, TAKEN).catch(notTaken)
        return accepted(reply, task)
      },
    )
  }
}

/** Always 202, with nothing around the object, or the word `null`. */
function accepted(reply: FastifyReply, task: object | undefined): FastifyReply {
  return reply
    .code(202)
    .type(JSON_TYPE)
    .send(task ?? 'null\n')
}

/** What the call's function would be started with, had it been called here. Rejects with 404 when its route has just gone. */
async function taskOf(engine: Engine, by: Principal, reserved: ReservedCall): Promise<Task> {
  const { call, method, path: target, headers, body } = reserved
  const [path = '/'] = target.split('?', 1)
  const appName = engineAppOf(call.appName)
  const [app, route] = await Promise.all([engine.getApp(by, appName), engine.getRoute(by, appName, path)])
  return {
    image: route.image,
    payload: Buffer.from(payloadOf({ method, target }, body ?? Buffer.alloc(0))).toString(),
    priority: 0,
    id: call.id,
    app_name: appName,
    path,
    env_vars: {
      ...configEntries({ ...app.config, ...route.config }),
      ...callEntries({ method, target, headers }),
    },
    created_at: new Date(call.acceptedAt).toISOString(),
    started_at: NEVER,
    completed_at: NEVER,
  }
}

/** The task that a request shows. Of its fields the id alone counts. */
function taskIn(request: FastifyRequest): { readonly id: string } {
  let body: unknown
  try {
    body = JSON.parse(bodyOf(request).toString())
  } catch {
    throw refused('Invalid JSON')
  }
  if (!isObject(body)) throw refused('Invalid JSON')
  const { id } = body
  if (typeof id !== 'string' || !ID.test(id)) throw refused('The task has no id that GET /tasks gave out')
  return { ...body, id }
}

/** With its route its function goes, and the queue ends the call. */
function unlessGone(error: unknown): undefined {
  if (!(error instanceof EngineError && error.status === 404)) throw error
}

function notTaken(error: unknown): never {
  const isCallers = error instanceof AtelierError && ['NOT_FOUND', 'CONFLICT'].includes(error.code)
  throw isCallers ? refused('The task is not reserved, or no longer') : error
}

/** 500, as upstream says it of every such mistake; the log of failures that are ours has none of it. */
function refused(message: string): EngineError {
  return new EngineError(500, message, { cause: new AtelierError('CONFLICT', message) })
}
