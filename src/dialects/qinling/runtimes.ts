import type { DialectRecord } from '../../control/index.ts'
import { AtelierError } from '../../core/index.ts'
import type { DialectParts } from '../dialect.ts'
import { QinlingError } from './answers.ts'
import { languageOf } from './images.ts'
import { type Kept, type KeptFunction, type KeptRuntime, KINDS, missing } from './kept.ts'
import { attributesIn, NAME, READ_ONLY } from './reading.ts'
import type { AddRoute } from './routes.ts'
import { runtimeView } from './views.ts'
import type { Workers } from './workers.ts'

const FIELDS = {
  id: { kind: 'ignored' },
  name: NAME,
  image: NAME,
  description: NAME,
  is_public: { kind: 'bool' },
  trusted: { kind: 'bool' },
  status: READ_ONLY,
  project_id: READ_ONLY,
  created_at: READ_ONLY,
  updated_at: READ_ONLY,
} as const

/** `/v1/runtimes` */
export function runtimeRoutes(
  add: AddRoute,
  { log, images }: Pick<DialectParts, 'log' | 'images'>,
  kept: Kept,
  workers: Workers,
): void {
  add({ method: 'POST', path: '/v1/runtimes', status: 201, admin: true }, async ({ caller, request }) => {
    const given = attributesIn(request, 'runtime', FIELDS)
    if (!given.image) throw new QinlingError(400, "Required param is missing. Required: {'image'}")
    const body: KeptRuntime = {
      name: given.name ?? null,
      image: given.image,
      description: given.description ?? null,
      isPublic: given.is_public ?? true,
      trusted: given.trusted ?? true,
      status: 'creating',
    }
    const made = await kept.add(KINDS.runtime, { projectId: caller.projectId, body })
    // The answer is of before, as clients expect, who wait for what follows.
    await settle(made)
    return runtimeView(made)
  })

  add({ method: 'GET', path: '/v1/runtimes' }, async ({ caller }) => {
    const all = await kept.all<KeptRuntime>(KINDS.runtime, {})
    const seen = all.filter(each => each.projectId === caller.projectId || each.body.isPublic)
    return { runtimes: seen.map(runtimeView) }
  })

  add({ method: 'GET', path: '/v1/runtimes/:id' }, async ({ caller, id }) =>
    runtimeView(await kept.runtime(caller, id())),
  )

  add({ method: 'PUT', path: '/v1/runtimes/:id', admin: true }, async ({ caller, request, id }) => {
    const { name, description, image } = attributesIn(request, 'runtime', FIELDS)
    const runtime = await kept.runtime(caller, id())
    const upgrades = image !== undefined && image !== runtime.body.image
    if (upgrades) {
      if (runtime.body.status !== 'available')
        throw new QinlingError(409, `Runtime ${runtime.id} is not available.`)
      if ((await workers.ofRuntime(runtime.id)).length > 0)
        throw new QinlingError(403, `Runtime ${runtime.id} is still in use by functions.`)
    }
    const changed = await kept.change<KeptRuntime>(KINDS.runtime, runtime, body => ({
      ...body,
      ...(name !== undefined && { name }),
      ...(description !== undefined && { description }),
      ...(upgrades && { image, status: 'upgrading' as const }),
    }))
    if (upgrades) await settle(changed)
    return runtimeView(changed)
  })

  add({ method: 'DELETE', path: '/v1/runtimes/:id', status: 204, admin: true }, async ({ caller, id }) => {
    const runtime = await kept.runtime(caller, id())
    const functions = await kept.all<KeptFunction>(KINDS.function, {})
    if (functions.some(each => each.body.runtimeId === runtime.id))
      throw new QinlingError(403, `Runtime ${runtime.id} is still in use.`)
    await kept.records.delete(KINDS.runtime, runtime.id)
  })

  add({ method: 'GET', path: '/v1/runtimes/:id/pool', admin: true }, async ({ id }) => {
    const runtime = await kept.records.get<KeptRuntime>(KINDS.runtime, id())
    if (!runtime) throw missing('Runtime', 'id', id())
    const available = workers.free(runtime.body.image)
    const busy = (await workers.ofRuntime(runtime.id)).length
    return { name: runtime.id, capacity: { total: busy + available, available } }
  })

  /** There is no pool to be made: a language is there, and an image when it was pulled. */
  async function settle(runtime: DialectRecord<KeptRuntime>): Promise<void> {
    const { image } = runtime.body
    if (languageOf(image) !== undefined) return finish(runtime, 'available')
    void pulled(runtime)
      .then(isThere => finish(runtime, isThere ? 'available' : 'error'))
      .catch((error: unknown) => log.error({ err: error }, 'the end of a pull could not be kept'))
  }

  async function pulled(runtime: DialectRecord<KeptRuntime>): Promise<boolean> {
    const { image } = runtime.body
    try {
      await images.pull({ reference: image }, () => {}, AbortSignal.timeout(PULL_MS_MAX))
      return true
    } catch (error) {
      log.error({ err: error, runtime: runtime.id, image }, 'the image of a Qinling runtime is not here')
      return false
    }
  }

  async function finish(runtime: DialectRecord<KeptRuntime>, status: 'available' | 'error'): Promise<void> {
    await kept.records
      .update<KeptRuntime>(KINDS.runtime, runtime.id, body => ({ ...body, status }))
      .catch((error: unknown) => {
        const isGone = error instanceof AtelierError && error.code === 'NOT_FOUND' // deleted meanwhile
        if (!isGone) throw error
      })
  }
}

const PULL_MS_MAX = 15 * 60_000
