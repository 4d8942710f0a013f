import { randomUUID } from 'node:crypto'
import type { DialectRecord, DialectRecords } from '../../control/index.ts'
import { AtelierError, type Clock, newId, type Principal } from '../../core/index.ts'
import { EngineError, Remembered } from '../engine/index.ts'

const APP = 'picasso.app'
const ROUTE = 'picasso.route'
const LISTED_MAX = 10_000
const CLAIM_MS_MAX = 15 * 60_000 // what a crash left half-made may be made again after it

/** What Picasso keeps of an app beside its engine. */
export interface KeptApp {
  /** UUID without dashes. */
  readonly id: string
  readonly name: string
  readonly description: string
  readonly isMade: boolean
}

/** … and of a route. */
export interface KeptRoute {
  readonly path: string
  readonly isPublic: boolean
  readonly isMade: boolean
}

/**
 * Picasso's own two tables: which project an app belongs to, and which routes are public. A name is claimed before the engine is asked,
 * so that nothing is made there that nobody owns.
 */
export class Kept {
  readonly #records: DialectRecords
  readonly #clock: Clock
  readonly #apps: Remembered<DialectRecord<KeptApp>>
  readonly #routes: Remembered<DialectRecord<KeptRoute>>

  constructor(records: DialectRecords, clock: Clock) {
    this.#records = records
    this.#clock = clock
    this.#apps = new Remembered(clock, name => records.byKey<KeptApp>(APP, name))
    this.#routes = new Remembered(clock, key => records.byKey<KeptRoute>(ROUTE, key))
  }

  /** Those of a project, by name. */
  async apps(projectId: string): Promise<readonly DialectRecord<KeptApp>[]> {
    const found = await this.#records.list<KeptApp>(APP, { projectId, limit: LISTED_MAX })
    return found.filter(each => each.body.isMade).sort((a, b) => (a.body.name < b.body.name ? -1 : 1))
  }

  /** 404 for another project's. */
  async app(by: Principal, name: string): Promise<DialectRecord<KeptApp>> {
    const found = await this.#apps.get(name)
    if (found?.projectId !== by.projectId || !found.body.isMade)
      throw new EngineError(404, `App ${name} not found`)
    return found
  }

  /** Keeps the app when `make` has made it. */
  async addApp(by: Principal, name: string, description: string, make: () => Promise<unknown>) {
    const body: KeptApp = { id: randomUUID().replaceAll('-', ''), name, description, isMade: false }
    const taken = await this.#claim<KeptApp>(APP, name, { projectId: by.projectId, parent: '', body }, make)
    this.#apps.forget(name)
    if (taken === 'taken') {
      const isOwn = (await this.#apps.get(name))?.projectId === by.projectId
      throw new EngineError(409, isOwn ? `App ${name} already exists` : 'App already exists')
    }
    return taken
  }

  async removeApp(app: DialectRecord<KeptApp>): Promise<void> {
    await this.#records.delete(APP, app.id)
    this.#apps.forget(app.body.name)
  }

  /** A route by app and path, whoever's it is. */
  async route(app: string, path: string): Promise<DialectRecord<KeptRoute> | undefined> {
    const found = await this.#routes.get(keyOf(app, path))
    return found?.body.isMade ? found : undefined
  }

  async routes(app: string): Promise<readonly DialectRecord<KeptRoute>[]> {
    const found = await this.#records.list<KeptRoute>(ROUTE, { parent: app, limit: LISTED_MAX })
    return found.filter(each => each.body.isMade)
  }

  /** Keeps the route when `make` has made it. */
  async addRoute(
    by: Principal,
    app: string,
    { path, isPublic }: { readonly path: string; readonly isPublic: boolean },
    make: () => Promise<unknown>,
  ): Promise<void> {
    const key = keyOf(app, path)
    const body: KeptRoute = { path, isPublic, isMade: false }
    const taken = await this.#claim<KeptRoute>(
      ROUTE,
      key,
      { projectId: by.projectId, parent: app, body },
      make,
    )
    this.#routes.forget(key)
    if (taken === 'taken') throw new EngineError(409, `App ${app} route ${path} already exist`)
  }

  async setPublic(app: string, route: DialectRecord<KeptRoute>, isPublic: boolean): Promise<void> {
    await this.#records.update<KeptRoute>(ROUTE, route.id, body => ({ ...body, isPublic }))
    this.#routes.forget(keyOf(app, route.body.path))
  }

  async removeRoute(app: string, route: DialectRecord<KeptRoute>): Promise<void> {
    await this.#records.delete(ROUTE, route.id)
    this.#routes.forget(keyOf(app, route.body.path))
  }

  async #claim<T extends { readonly isMade: boolean }>(
    kind: string,
    key: string,
    { projectId, parent, body }: { readonly projectId: string; readonly parent: string; readonly body: T },
    make: () => Promise<unknown>,
  ): Promise<DialectRecord<T> | 'taken'> {
    const now = this.#clock.now()
    const before = await this.#records.byKey<T>(kind, key)
    if (before && !before.body.isMade && now - before.createdAt > CLAIM_MS_MAX)
      await this.#records.delete(kind, before.id)
    const id = newId(now)
    try {
      await this.#records.insert({ id, kind, projectId, parent, key, body })
    } catch (error) {
      if (error instanceof AtelierError && error.code === 'CONFLICT') return 'taken'
      throw error
    }
    try {
      await make()
      return await this.#records.update<T>(kind, id, made => ({ ...made, isMade: true }))
    } catch (error) {
      await this.#records.delete(kind, id)
      throw error
    }
  }
}

function keyOf(app: string, path: string): string {
  return `${app} ${path}`
}
