import { createHash } from 'node:crypto'
import type { Control, DialectRecord, DialectRecords } from '../../control/index.ts'
import { AtelierError, type Clock, newId, type Principal } from '../../core/index.ts'
import { may } from '../../identity/index.ts'
import {
  type Config,
  type Engine,
  type EngineApp,
  EngineError,
  type EngineRoute,
  type KeptRoute,
  type NewRoute,
  type RouteChange,
  type RouteOptions,
  type RunAnswer,
  type RunCall,
} from './engine.ts'
import { engineError } from './failures.ts'
import { appNameOf, functionNameOf } from './names.ts'
import { Remembered } from './remembered.ts'
import { changedRoute, checkAppName, merged, newRoute } from './rules.ts'
import { type RunCounters, Runner, type RunnerParts } from './run.ts'

const APP = 'ironfunctions.app'
const ROUTE = 'ironfunctions.route'
const ROUTES_LISTED_MAX = 10_000
const MAKING_MS_MAX = 15 * 60_000 // an image may take long to come
const MEMORY_MIB_MIN = 32

export interface OwnEngineParts extends Pick<RunnerParts, 'invoker' | 'async' | 'table'> {
  readonly control: Control
  readonly records: DialectRecords
  readonly clock: Clock
  /** Values of a project's secrets, by name. */
  readonly secrets: {
    read(projectId: string, names: readonly string[]): Promise<Readonly<Record<string, string>>>
  }
}

/**
 * IronFunctions on the platform: an app is an app, a route a function made of its image. A route is there when its function is; what a
 * crash leaves half-made is made again by the next one who asks for it.
 */
export class OwnEngine implements Engine {
  /** What IronFunctions' `/stats` tells, of calls through this one. */
  readonly counters: Readonly<RunCounters>
  readonly #runner: Runner
  readonly #parts: OwnEngineParts
  readonly #apps: Remembered<DialectRecord<EngineApp>>
  readonly #routes: Remembered<DialectRecord<KeptRoute>>

  constructor(parts: OwnEngineParts) {
    this.#parts = parts
    const { records, clock } = parts
    this.#apps = new Remembered(clock, name => records.byKey<EngineApp>(APP, name))
    this.#routes = new Remembered(clock, key => records.byKey<KeptRoute>(ROUTE, key))
    this.#runner = new Runner({
      ...parts,
      find: (app, path) => this.#find(app, path),
      jwtKey: found => this.#jwtKey(found),
    })
    this.counters = this.#runner.counters
  }

  async listApps(by: Principal): Promise<readonly EngineApp[]> {
    const found = await this.#parts.records.list<EngineApp>(APP, { projectId: by.projectId })
    return found.map(each => each.body).sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  async createApp(by: Principal, { name, config }: EngineApp): Promise<EngineApp> {
    checkAppName(name)
    const { control, records, clock } = this.#parts
    const app: EngineApp = { name, config: config && merged(null, config) }
    const id = newId(clock.now())
    await records
      .insert({ id, kind: APP, projectId: by.projectId, key: name, body: app })
      .catch(conflictAs('App already exists'))
    this.#apps.forget(name)
    try {
      await control.createApp(by, { name: appNameOf(name), config: app.config ?? {} })
    } catch (error) {
      await records.delete(APP, id)
      this.#apps.forget(name)
      throw conflictAs('App already exists')(error)
    }
    return app
  }

  async getApp(by: Principal, name: string): Promise<EngineApp> {
    return (await this.#app(by, name)).body
  }

  async updateApp(by: Principal, name: string, change: Config): Promise<EngineApp> {
    const { control, records } = this.#parts
    const app = await this.#app(by, name)
    const config = merged(app.body.config, change)
    await control.updateApp(by, appNameOf(name), { config }).catch(rethrown)
    const after = await records.update<EngineApp>(APP, app.id, body => ({ ...body, config }))
    this.#apps.forget(name)
    // A version freezes its app's configuration: what runs gets the new one with a new version.
    for (const each of await this.#routesOf(name)) await this.#deploy(by, each.body, undefined)
    return after.body
  }

  async deleteApp(by: Principal, name: string): Promise<void> {
    const { control, records } = this.#parts
    const app = await this.#app(by, name)
    if ((await this.#routesOf(name)).length > 0) throw new EngineError(400, 'Cannot remove apps with routes')
    await control
      .deleteApp(by, appNameOf(name), { force: false })
      .catch(unlessMissing)
      .catch(conflictAs('Cannot remove apps with routes', 400))
    await records.delete(APP, app.id)
    this.#apps.forget(name)
  }

  async listRoutes(by: Principal, app: string): Promise<readonly EngineRoute[]> {
    const owner = await this.#apps.get(app)
    if (owner?.projectId !== by.projectId) return []
    return Promise.all((await this.#routesOf(app)).map(each => this.#whole(by, each)))
  }

  async createRoute(
    by: Principal,
    app: string,
    given: NewRoute,
    { isPublic }: RouteOptions,
  ): Promise<EngineRoute> {
    const route = newRoute(app, given)
    checkAppName(app)
    const owner = await this.#apps.get(app)
    if (owner === undefined) await this.createApp(by, { name: app, config: null })
    else if (owner.projectId !== by.projectId) throw new EngineError(409, 'App already exists')
    const { records, clock } = this.#parts
    const key = keyOf(app, route.path)
    const id = newId(clock.now())
    const before = await records.byKey<KeptRoute>(ROUTE, key)
    if (before && !before.body.isMade && clock.now() - before.createdAt > MAKING_MS_MAX)
      await records.delete(ROUTE, before.id)
    const { jwt_key: jwtKey, ...rest } = route
    const kept: KeptRoute = {
      route: rest,
      hasKey: jwtKey !== '',
      isPublic,
      functionName: functionNameOf(route.path),
      isMade: false,
    }
    await records
      .insert({ id, kind: ROUTE, projectId: by.projectId, parent: app, key, body: kept })
      .catch(conflictAs('Route already exists'))
    try {
      if (jwtKey !== '') await this.#parts.control.putSecret(by, secretOf(app, kept), jwtKey)
      await this.#deploy(by, kept, route.image)
      await records.update<KeptRoute>(ROUTE, id, body => ({ ...body, isMade: true }))
    } catch (error) {
      await records.delete(ROUTE, id)
      throw engineError(error)
    } finally {
      this.#routes.forget(key)
    }
    return route
  }

  async getRoute(by: Principal, app: string, path: string): Promise<EngineRoute> {
    return this.#whole(by, await this.#route(by, app, path))
  }

  async updateRoute(
    by: Principal,
    app: string,
    path: string,
    change: RouteChange,
    options: Partial<RouteOptions>,
  ): Promise<EngineRoute> {
    const { control, records } = this.#parts
    const found = await this.#route(by, app, path)
    const before = await this.#whole(by, found)
    const after = changedRoute(before, change)
    const { jwt_key: jwtKey, ...route } = after
    const kept: KeptRoute = {
      ...found.body,
      route,
      hasKey: jwtKey !== '',
      isPublic: options.isPublic ?? found.body.isPublic,
    }
    if (jwtKey !== '' && jwtKey !== before.jwt_key)
      await control.putSecret(by, secretOf(app, kept), jwtKey).catch(rethrown)
    await this.#deploy(by, kept, after.image === before.image ? undefined : after.image)
    await records.update<KeptRoute>(ROUTE, found.id, () => kept)
    this.#routes.forget(keyOf(app, path))
    return after
  }

  async deleteRoute(by: Principal, app: string, path: string): Promise<void> {
    const { control, records } = this.#parts
    const found = await this.#route(by, app, path)
    await control.deleteFunction(by, appNameOf(app), found.body.functionName).catch(unlessMissing)
    if (found.body.hasKey) await control.deleteSecret(by, secretOf(app, found.body)).catch(unlessMissing)
    await records.delete(ROUTE, found.id)
    this.#routes.forget(keyOf(app, path))
  }

  run(call: RunCall): Promise<RunAnswer> {
    return this.#runner.run(call)
  }

  /** For a call: the route as it is kept, whoever's it is. */
  async #find(app: string, path: string): Promise<DialectRecord<KeptRoute>> {
    const found = await this.#routes.get(keyOf(app, path))
    if (found?.body.isMade) return found
    if ((await this.#apps.get(app)) === undefined) throw new EngineError(404, 'App not found')
    throw new EngineError(404, 'Route not found on that application')
  }

  /** The key that the route's callers must have signed their token with; empty for none. */
  async #jwtKey({ projectId, parent: app, body }: DialectRecord<KeptRoute>): Promise<string> {
    if (!body.hasKey) return ''
    const name = secretOf(app, body)
    return (await this.#parts.secrets.read(projectId, [name]))[name] ?? ''
  }

  async #app(by: Principal, name: string): Promise<DialectRecord<EngineApp>> {
    const found = await this.#apps.get(name)
    if (found?.projectId !== by.projectId) throw new EngineError(404, 'App not found')
    return found
  }

  async #route(by: Principal, app: string, path: string): Promise<DialectRecord<KeptRoute>> {
    const found = await this.#routes.get(keyOf(app, path))
    if (!found?.body.isMade || found.projectId !== by.projectId) throw new EngineError(404, 'Route not found')
    return found
  }

  async #routesOf(app: string): Promise<readonly DialectRecord<KeptRoute>[]> {
    const found = await this.#parts.records.list<KeptRoute>(ROUTE, { parent: app, limit: ROUTES_LISTED_MAX })
    return found.filter(each => each.body.isMade)
  }

  /** With its key for who could set another: whoever has the key may call. */
  async #whole(by: Principal, found: DialectRecord<KeptRoute>): Promise<EngineRoute> {
    return { ...found.body.route, jwt_key: may(by, 'write') ? await this.#jwtKey(found) : '' }
  }

  /** A new version of the route's function; without an image, of the one that it has. */
  async #deploy(
    by: Principal,
    { route, functionName, isPublic }: KeptRoute,
    image: string | undefined,
  ): Promise<void> {
    const name = appNameOf(route.app_name)
    const request = {
      app: name,
      name: functionName,
      ...(image !== undefined && { image }),
      description: `Route ${route.path}`,
      access: isPublic ? 'public' : 'private',
      contract: route.format === 'http' ? 'stdio-http' : 'stdio',
      config: route.config,
      limits: {
        memoryMiB: Math.max(MEMORY_MIB_MIN, route.memory),
        timeoutMs: route.timeout * 1000,
        concurrency: 1,
      },
      scaling:
        route.format === 'http'
          ? { instancesMax: route.max_concurrency, idleMs: route.idle_timeout * 1000 }
          : { instancesMax: 100 },
    } as const
    const never = new AbortController().signal
    await this.#parts.control.deploy(by, request, () => {}, never).catch(rethrown)
  }
}

function keyOf(app: string, path: string): string {
  return `${app} ${path}`
}

function secretOf(app: string, { functionName }: KeptRoute): string {
  const digest = createHash('sha256').update(`${app} ${functionName}`).digest('hex')
  return `ironfunctions-jwt.${digest.slice(0, 32)}`
}

function rethrown(error: unknown): never {
  throw engineError(error)
}

function unlessMissing(error: unknown): void {
  if (!(error instanceof AtelierError && error.code === 'NOT_FOUND')) throw engineError(error)
}

/** CONFLICT, in IronFunctions' words. */
function conflictAs(message: string, status = 409): (error: unknown) => never {
  return error => {
    if (error instanceof AtelierError && error.code === 'CONFLICT') throw new EngineError(status, message)
    throw engineError(error)
  }
}
