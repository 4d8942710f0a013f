import type { DialectRecord } from '../../control/index.ts'
import type { InstanceView } from '../../pool/index.ts'
import type { DialectParts } from '../dialect.ts'
import type { Caller } from './callers.ts'
import { type Deployer, nameOf, shownAs, targetOf } from './deploy.ts'
import { type Runner, runnerOf } from './images.ts'
import {
  type Kept,
  type KeptFunction,
  type KeptRuntime,
  type KeptVersion,
  KINDS,
  type Running,
} from './kept.ts'
import { attributesIn, versionIn } from './reading.ts'
import type { AddRoute } from './routes.ts'

/** The workers of Qinling are the instances of the pool. */
export class Workers {
  readonly #parts: Pick<DialectParts, 'pool' | 'table'>
  readonly #kept: Kept

  constructor(parts: Pick<DialectParts, 'pool' | 'table'>, kept: Kept) {
    this.#parts = parts
    this.#kept = kept
  }

  /** Those that serve a function, or one of its versions, and take calls. */
  of(projectId: string, functionId: string, version: number): readonly InstanceView[] {
    const target = targetOf(this.#parts, projectId, functionId, version)
    if (target === undefined) return []
    return this.#parts.pool
      .instances()
      .filter(each => each.functionId === target.id && (each.state === 'idle' || each.state === 'busy'))
  }

  /** Those of all functions of a runtime, whoever's they are. */
  async ofRuntime(runtimeId: string): Promise<readonly InstanceView[]> {
    const found: InstanceView[] = []
    for await (const each of this.#kept.each<KeptFunction>(KINDS.function, {})) {
      if (each.body.runtimeId !== runtimeId) continue
      found.push(...this.of(each.projectId, each.id, 0))
      for (const { body } of await this.#kept.versions(each.id))
        found.push(...this.of(each.projectId, each.id, body.number))
    }
    return found
  }

  /** Instances that are nobody's yet and may become workers of a runtime: an image's are started with their code. */
  free(image: string): number {
    const runner = runnerOf(image)
    if (runner.kind === 'image') return 0
    return this.#parts.pool
      .instances()
      .filter(each => each.environment === runner.language && each.state === 'generic').length
  }

  /** Ends them; what runs on them fails. */
  async release(projectId: string, functionId: string, version: number): Promise<void> {
    const { pool } = this.#parts
    for (const { id } of this.of(projectId, functionId, version)) await pool.kill(id, 'it was detached')
  }
}

const SCALE = { count: { kind: 'int', min: 1 } } as const

/** Workers of a function and of its versions: for administrators. */
export function workerRoutes(add: AddRoute, kept: Kept, workers: Workers, deployer: Deployer): void {
  add(
    { method: 'GET', path: '/v1/functions/:id/workers', query: ['function_version'], admin: true },
    async ({ caller, id, query }) => {
      const version = versionIn(query['function_version'] ?? '0')
      const found = await kept.records.get<KeptFunction>(KINDS.function, id())
      const seen = found && (found.projectId === caller.projectId || caller.seesAll)
      const instances = seen ? workers.of(found.projectId, found.id, version) : []
      return {
        workers: instances.map(each => ({
          function_id: id(),
          function_version: version,
          worker_name: each.id,
        })),
      }
    },
  )

  for (const [path, numbered] of [
    ['/v1/functions/:id', false],
    ['/v1/functions/:id/versions/:number', true],
  ] as const) {
    const numberOf = (param: (name: string) => string) => (numbered ? versionIn(param('number')) : 0)

    add({ method: 'POST', path: `${path}/scale_up`, status: 202, admin: true }, async asked => {
      const number = numberOf(asked.param)
      const { count = 1 } = attributesIn(asked.request, 'scale', SCALE)
      await scale(asked.caller, asked.id(), number, now => now + count)
    })

    add({ method: 'POST', path: `${path}/scale_down`, status: 202, admin: true }, async asked => {
      const number = numberOf(asked.param)
      const { count = 1 } = attributesIn(asked.request, 'scale', SCALE)
      await scale(asked.caller, asked.id(), number, now => (now <= 1 ? now : Math.max(1, now - count)))
    })

    add({ method: 'POST', path: `${path}/detach`, status: 202, admin: true }, async asked => {
      const number = numberOf(asked.param)
      const { projectId } = await kept.function(asked.caller, asked.id())
      await scale(asked.caller, asked.id(), number, () => 0)
      await workers.release(projectId, asked.id(), number)
    })
  }

  async function scale(
    caller: Caller,
    functionId: string,
    number: number,
    wanted: (now: number) => number,
  ): Promise<void> {
    const found = await kept.function(caller, functionId)
    const version = number === 0 ? undefined : await kept.version(functionId, number)
    const running: Running = version?.body ?? found.body
    const now = Math.max(running.workers, workers.of(found.projectId, functionId, number).length)
    const count = Math.min(WORKERS_MAX, wanted(now))
    if (count === running.workers) return
    const by = await deployer.principalFor(caller, found.projectId)
    const runner = await runnerFor(kept, running)
    const name = nameOf(functionId, number)
    await deployer.deploy(
      caller,
      by,
      name,
      shownAs(found, number),
      { ...running, workers: count },
      runner,
      undefined,
    )
    if (version) await kept.change<KeptVersion>(KINDS.version, version, body => ({ ...body, workers: count }))
    else await kept.change<KeptFunction>(KINDS.function, found, body => ({ ...body, workers: count }))
  }
}

const WORKERS_MAX = 100

/** What runs a function, by its runtime. */
export async function runnerFor(kept: Kept, { runtimeId }: Running): Promise<Runner | undefined> {
  const runtime: DialectRecord<KeptRuntime> | undefined =
    runtimeId === null ? undefined : await kept.records.get<KeptRuntime>(KINDS.runtime, runtimeId)
  return runtime && runnerOf(runtime.body.image)
}
