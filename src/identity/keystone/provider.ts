import { AtelierError, type Clock, noSuch, type Principal, type Role } from '../../core/index.ts'
import { allowsRequest, type ServiceRequest } from '../access-rules.ts'
import type { IdentityProvider } from '../identity.ts'
import type { ProjectReference } from '../roles.ts'
import { TokenCache, type Validated } from '../tokens.ts'
import { KeystoneClient, type KeystoneScope } from './client.ts'
import { keystoneLending } from './lending.ts'
import { Refusals } from './refusals.ts'
import { letsIn, rolesOf } from './roles.ts'
import type { KeystoneSettings } from './settings.ts'
import type { KeystoneProject, KeystoneToken } from './token.ts'

/** While Keystone cannot be asked, who was checked before goes on for so long at most. */
const OUTAGE_MS_MAX = 10 * 60_000
const OUTAGE_RETRY_MS = 2_000
/** Visible ASCII: anything else is no token, and would not even be sent. */
const TOKEN = /^[\x21-\x7e]{1,8192}$/
const WORKING: readonly Role[] = ['admin', 'member', 'reader']

/** Users, projects and roles of a Keystone v3 that others run. */
export interface KeystoneIdentity extends IdentityProvider {
  /** Rejects with UNAVAILABLE when the server's own user cannot log in. */
  check(): Promise<void>
  close(): void
}

/** The projects that functions are kept in; with the id that Keystone gave them. */
export interface HeldProjects {
  find(reference: ProjectReference): HeldProject | undefined
  /** The project, made when it is seen for the first time. Its name here may differ. */
  adopt(project: KeystoneProject): Promise<HeldProject>
}

/** A project that is kept here, as far as Keystone must know of it. */
export interface HeldProject {
  readonly id: string
  readonly name: string
  readonly enabled: boolean
}

export interface KeystoneParts {
  readonly settings: KeystoneSettings
  readonly clock: Clock
  readonly projects: HeldProjects
}

/** See `IdentityProvider`. Throws INVALID_INPUT for an address that is none. */
export function createKeystoneIdentity({ settings, clock, projects }: KeystoneParts): KeystoneIdentity {
  const client = new KeystoneClient(settings, clock)
  const cache = new TokenCache({ freshMs: settings.cacheMs, spareMs: OUTAGE_MS_MAX })
  const refusals = new Refusals()
  const asking = new Map<string, Promise<Validated>>()

  async function authenticate(token: string, request?: ServiceRequest): Promise<Principal> {
    const isForService = request?.serviceToken !== undefined
    if (isForService) await needService(request.serviceToken)
    const { principal, accessRules } = await validate(token, isForService)
    if (accessRules && !isForService && !(request && allowsRequest(accessRules, request)))
      throw new AtelierError(
        'UNAUTHENTICATED',
        'The access rules of the application credential do not allow this request.',
      )
    return principal
  }

  /** Another service that passes on what its own caller asked: it answers for that caller. */
  async function needService(token: string): Promise<void> {
    const { principal, accessRules } = await validate(token, false)
    if (!accessRules && principal.roles.includes('service')) return
    throw new AtelierError('UNAUTHENTICATED', 'X-Service-Token is not the token of a service.')
  }

  async function validate(token: string, graceful: boolean): Promise<Validated> {
    const known = cache.get(token, clock.now())
    if (known) return known
    if (!TOKEN.test(token)) throw notValid()
    if (graceful) return ask(token, true)
    if (refusals.has(token, clock.now())) throw notValid()
    const underWay = asking.get(token)
    if (underWay) return underWay
    const answer = ask(token, false).finally(() => asking.delete(token))
    asking.set(token, answer)
    return answer
  }

  async function ask(token: string, graceful: boolean): Promise<Validated> {
    const { generation } = cache
    try {
      const found = await client.validate(token, graceful)
      const now = clock.now()
      if (!found || (found.expiresAt <= now && !graceful)) {
        cache.drop(token)
        if (!graceful) refusals.add(token, now)
        throw notValid()
      }
      const validated = await understand(found)
      if (found.expiresAt > now) cache.put(token, validated, generation, now)
      return validated
    } catch (error) {
      const isOut = error instanceof AtelierError && error.code === 'UNAVAILABLE'
      const spare = isOut ? cache.getSpare(token, clock.now(), OUTAGE_RETRY_MS) : undefined
      if (spare) return spare
      throw error
    }
  }

  async function understand(token: KeystoneToken): Promise<Validated> {
    const roles = rolesOf(token, settings)
    const project = token.project ?? (await placeOfOperator(token, roles))
    if (!letsIn(project, settings))
      throw new AtelierError('UNAUTHENTICATED', 'The domain of the project is not let in here.')
    const isWorking = roles.some(each => WORKING.includes(each))
    // Who may do nothing here leaves nothing behind.
    const place = isWorking ? await projects.adopt(project) : { ...project, enabled: true }
    if (!place.enabled && !roles.includes('admin'))
      throw new AtelierError('UNAUTHENTICATED', 'The project is switched off here.')
    const principal = {
      userId: token.user.id,
      userName: token.user.name,
      projectId: place.id,
      projectName: place.name,
      roles,
      expiresAt: token.expiresAt,
      ...(token.delegation && { delegation: token.delegation }),
    }
    return { principal, accessRules: token.accessRules }
  }

  /** Who operates the whole cloud works from the project of the server's own user. */
  async function placeOfOperator(token: KeystoneToken, roles: readonly Role[]): Promise<KeystoneProject> {
    const home = token.isSystem && roles.includes('admin') ? (await client.own())?.project : undefined
    if (home) return home
    throw new AtelierError(
      'UNAUTHENTICATED',
      'The token is for no project: get one that is scoped to a project.',
    )
  }

  /** The token's user in another of its projects; rejects with NOT_FOUND. */
  async function elsewhere(
    token: string,
    reference: ProjectReference,
    held: HeldProject | undefined,
  ): Promise<Principal> {
    const id = 'id' in reference ? reference.id : held?.id
    const shown = 'id' in reference ? reference.id : reference.name
    if (id === undefined) throw noSuch('project', shown)
    // Beside tokens: no token has a blank.
    const key = `${token} ${id}`
    const known = cache.get(key, clock.now())
    if (known) return known.principal
    const { generation } = cache
    const scope: KeystoneScope = { project: { id } }
    const issued = await client.rescope(token, scope)
    if (!issued) throw noSuch('project', shown)
    const validated = await understand(issued.what)
    cache.put(key, validated, generation, clock.now())
    return validated.principal
  }

  return {
    name: 'keystone',
    authenticate,
    cached(token, hash) {
      const known = cache.get(token, clock.now(), hash)
      return known?.accessRules ? undefined : known?.principal
    },
    async principalFor(principal, reference, token) {
      const isHere =
        'id' in reference ? reference.id === principal.projectId : reference.name === principal.projectName
      if (isHere) return principal
      const held = projects.find(reference)
      if (principal.delegation) throw noSuch('project', 'id' in reference ? reference.id : reference.name)
      if (held && principal.roles.includes('admin'))
        return { ...principal, projectId: held.id, projectName: held.name }
      return elsewhere(token, reference, held)
    },
    ...(settings.service && { lending: keystoneLending(client) }),
    forgetProject: projectId => cache.forgetWhere(principal => principal.projectId === projectId),
    async check() {
      await client.own()
    },
    close: () => client.close(),
  }
}

function notValid(): AtelierError {
  return new AtelierError('UNAUTHENTICATED', 'The token is not valid, or no longer: get a new one.')
}
