import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import type { Clock } from '../../src/core/index.ts'

/** An identity service that a test may do anything with. */
export interface KeystonePlace {
  /** With `/v3`. */
  readonly url: string
  readonly admin: { readonly user: string; readonly password: string; readonly project: string }
  /** Whose time it keeps. @default the system's */
  readonly clock?: Clock
  dispose(): Promise<void>
}

export interface KeystoneAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: KeystoneBody
}

/** A list that a test looks into. */
type Some<T> = readonly [T, ...T[]]

/** Whatever an answer may hold: the tests say what it must. */
export interface KeystoneBody {
  readonly [name: string]: unknown
  readonly version: { readonly links: readonly object[] }
  readonly token: KeystoneToken
  readonly user: KeystoneItem
  readonly users: readonly KeystoneItem[]
  readonly project: KeystoneItem
  readonly projects: readonly KeystoneItem[]
  readonly role: KeystoneItem
  readonly roles: Some<KeystoneItem>
  readonly role_assignments: Some<KeystoneAssignment>
  readonly domains: readonly [KeystoneItem]
  readonly regions: readonly [KeystoneItem]
  readonly services: readonly [KeystoneItem]
  readonly endpoints: Some<KeystoneItem>
  readonly application_credential: KeystoneItem
  readonly application_credentials: readonly KeystoneItem[]
  readonly access_rules: readonly [KeystoneItem]
  readonly trust: KeystoneItem
  readonly trusts: readonly KeystoneItem[]
}

interface KeystoneItem extends Known {
  readonly [name: string]: unknown
  readonly links: { readonly self: string }
  readonly roles: Some<KeystoneItem>
  readonly access_rules: Some<KeystoneItem>
  readonly secret: string
}

interface KeystoneAssignment {
  readonly user: object
  readonly role: Known
  readonly scope: { readonly project: object }
}

interface KeystoneToken extends KeystoneItem {
  readonly methods: readonly string[]
  readonly audit_ids: readonly string[]
  readonly expires_at: string
  readonly issued_at: string
  readonly user: Known
  readonly project: Known
  readonly catalog: readonly { readonly type: string; readonly endpoints: Some<{ interface: string }> }[]
  readonly application_credential: KeystoneItem
}

interface Call {
  readonly token?: string | undefined
  readonly subject?: string
  readonly body?: unknown
  /** Instead of `body`, as it is. */
  readonly raw?: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface Known {
  readonly id: string
  readonly name: string
}

export interface KnownUser extends Known {
  readonly password: string
}

export const DEFAULT_DOMAIN = { id: 'default' }

/** Speaks Keystone v3 to a place that is opened before the tests of a `describe`, and disposed of after them. */
export class KeystoneClient {
  #place!: KeystonePlace
  /** Of the administrator. */
  admin!: string
  #roles: ReadonlyMap<string, string> = new Map()
  #count = 0

  constructor(open: () => Promise<KeystonePlace>) {
    before(async () => {
      this.#place = await open()
      const { user, password, project } = this.#place.admin
      this.admin = await this.token(passwordLogin({ name: user, password }, { name: project }))
      const { json } = await this.call('GET', '/roles', { token: this.admin })
      this.#roles = new Map(json.roles.map(each => [each.name, each.id]))
    })
    after(() => this.#place?.dispose())
  }

  /** With `/v3`. */
  get url(): string {
    return this.#place.url
  }

  async call(method: string, path: string, { token, subject, body, raw, headers }: Call = {}) {
    const sent = raw ?? (body === undefined ? undefined : JSON.stringify(body))
    const response = await fetch(this.url + path, {
      method,
      redirect: 'manual',
      headers: {
        ...(sent !== undefined && { 'content-type': 'application/json' }),
        ...(token !== undefined && { 'x-auth-token': token }),
        ...(subject !== undefined && { 'x-subject-token': subject }),
        ...headers,
      },
      ...(sent !== undefined && { body: sent }),
    })
    const text = await response.text()
    const answer: KeystoneAnswer = {
      status: response.status,
      headers: response.headers,
      text,
      get json() {
        return JSON.parse(text)
      },
    }
    return answer
  }

  /** As the administrator; must succeed. */
  async manage(method: string, path: string, body?: unknown): Promise<KeystoneAnswer> {
    const answer = await this.call(method, path, { token: this.admin, ...(body !== undefined && { body }) })
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`)
    return answer
  }

  login(auth: object): Promise<KeystoneAnswer> {
    return this.call('POST', '/auth/tokens', { body: { auth } })
  }

  /** The token of a login that must work. */
  async token(auth: object): Promise<string> {
    const answer = await this.login(auth)
    assert.equal(answer.status, 201, answer.text)
    return answer.headers.get('x-subject-token')!
  }

  /** A name that nothing has. */
  fresh(what: string): string {
    return `${what}-${process.pid}-${this.#count++}`
  }

  async project(): Promise<Known> {
    const name = this.fresh('project')
    return (await this.manage('POST', '/projects', { project: { name, domain_id: 'default' } })).json.project
  }

  async user(...grants: readonly (readonly [Known, string])[]): Promise<KnownUser> {
    const name = this.fresh('user')
    const password = `${name}-password`
    const { json } = await this.manage('POST', '/users', { user: { name, password, domain_id: 'default' } })
    for (const [project, role] of grants) await this.grant(json.user, project, role)
    return { ...json.user, password }
  }

  async grant(user: Known, project: Known, role: string): Promise<void> {
    await this.manage('PUT', this.grantPath(user, project, role))
  }

  grantPath(user: Known, project: Known, role: string): string {
    return `/projects/${project.id}/users/${user.id}/roles/${this.role(role)}`
  }

  role(name: string): string {
    return this.#roles.get(name) ?? assert.fail(`there is no role ${name}`)
  }

  /** A user who is a member of a new project, with a token for it. */
  async member(): Promise<{ readonly user: KnownUser; readonly project: Known; readonly token: string }> {
    const project = await this.project()
    const user = await this.user([project, 'member'])
    return { user, project, token: await this.token(passwordLogin(user, project)) }
  }

  /** A token of a user that other services check tokens with. */
  async service(): Promise<string> {
    const project = await this.project()
    return this.token(passwordLogin(await this.user([project, 'service']), project))
  }

  /** The status with which a service learns what a token is worth. */
  async validate(subject: string, headers: Readonly<Record<string, string>> = {}): Promise<number> {
    return (await this.call('GET', '/auth/tokens', { token: this.admin, subject, headers })).status
  }
}

/** `project`: by id, or by name with the domain; without one, no scope is named. */
export function passwordLogin(
  user: { readonly name: string; readonly password: string },
  project?: { readonly id?: string; readonly name: string },
): object {
  const { name, password } = user
  const scope = project && {
    project: project.id === undefined ? { name: project.name, domain: DEFAULT_DOMAIN } : { id: project.id },
  }
  return {
    identity: { methods: ['password'], password: { user: { name, domain: DEFAULT_DOMAIN, password } } },
    ...(scope && { scope }),
  }
}

export function tokenLogin(id: string, scope?: unknown): object {
  return { identity: { methods: ['token'], token: { id } }, ...(scope !== undefined && { scope }) }
}

export function credentialLogin(credential: object): object {
  return { identity: { methods: ['application_credential'], application_credential: credential } }
}

export function trustLogin(user: KnownUser, trust: Known | { readonly id: string }): object {
  return { ...passwordLogin(user), scope: { 'OS-TRUST:trust': { id: trust.id } } }
}

/** The answer is an error as Keystone writes them. */
export function refused({ status, headers, text }: KeystoneAnswer, expected: number): void {
  assert.equal(status, expected, text)
  const { error } = JSON.parse(text)
  // OpenStack's own adds at times what was asked.
  for (const key of ['code', 'message', 'title']) assert.ok(key in error, text)
  assert.equal(error.code, expected)
  assert.equal(headers.get('content-type')?.split(';')[0], 'application/json')
  if (expected === 401) assert.match(headers.get('www-authenticate') ?? '', /^Keystone uri="http.*"$/)
}

/** The token is worth nothing. Keystone says 404 where it once was and what it stood on is gone, else 401, as we always do. */
export function worthless({ status, text }: KeystoneAnswer): void {
  assert.ok(status === 401 || status === 404, `${status} ${text}`)
}

export function keys(value: object): string[] {
  return Object.keys(value).sort()
}

export function names(list: readonly { readonly name: string }[]): string[] {
  return list.map(each => each.name).sort()
}
