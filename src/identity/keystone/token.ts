import type { Delegation } from '../../core/index.ts'
import type { AccessRule } from '../access-rules.ts'

/** What Keystone says that a token stands for: as much of it as matters here. */
export interface KeystoneToken {
  readonly user: KeystoneThing
  /** Missing for a token of a domain, of the system, or of nothing. */
  readonly project: KeystoneProject | undefined
  /** For the cloud as a whole. */
  readonly isSystem: boolean
  /** Names. */
  readonly roles: readonly string[]
  /** Epoch ms. */
  readonly expiresAt: number
  readonly delegation: Delegation | undefined
  readonly accessRules: readonly AccessRule[] | undefined
}

export interface KeystoneThing {
  readonly id: string
  readonly name: string
}

export interface KeystoneProject extends KeystoneThing {
  readonly domain: KeystoneThing
}

/** Ids become names of folders and parts of keys. */
const ID = /^[\w-]{1,64}$/

/** Reads the answer to `/v3/auth/tokens`; `undefined` for what does not look like one. */
export function readToken(body: unknown): KeystoneToken | undefined {
  const token = recordAt(body, 'token')
  const user = thingAt(token, 'user')
  const expiresAt = Date.parse(textAt(token, 'expires_at') ?? '')
  if (!user || Number.isNaN(expiresAt)) return undefined
  const project = recordAt(token, 'project')
  const thing = thingAt(token, 'project')
  const domain = thingAt(project, 'domain')
  if (project && !(thing && domain)) return undefined
  const accessRules = rulesOf(recordAt(token, 'application_credential'))
  if (accessRules === 'unreadable') return undefined
  return {
    user,
    project: thing && domain && { ...thing, domain },
    isSystem: recordAt(token, 'system')?.['all'] === true,
    roles: listAt(token, 'roles').flatMap(each => textAt(each, 'name') ?? []),
    expiresAt,
    delegation: delegationOf(token),
    accessRules,
  }
}

function delegationOf(token: Json | undefined): Delegation | undefined {
  const credential = recordAt(token, 'application_credential')
  if (credential) return { kind: 'application-credential', id: textAt(credential, 'id') ?? '' }
  const trust = recordAt(token, 'OS-TRUST:trust')
  return trust && { kind: 'trust', id: textAt(trust, 'id') ?? '' }
}

/** A rule that cannot be read could not be kept to. */
function rulesOf(credential: Json | undefined): readonly AccessRule[] | undefined | 'unreadable' {
  const given = credential?.['access_rules']
  if (given === undefined || given === null) return undefined
  if (!Array.isArray(given)) return 'unreadable'
  const rules = given.map((each: unknown) => ({
    service: textAt(each, 'service'),
    method: textAt(each, 'method'),
    path: textAt(each, 'path'),
  }))
  return rules.every(isWhole) ? rules : 'unreadable'
}

function isWhole(rule: { readonly [K in keyof AccessRule]: string | undefined }): rule is AccessRule {
  return rule.service !== undefined && rule.method !== undefined && rule.path !== undefined
}

type Json = Readonly<Record<string, unknown>>

function thingAt(value: unknown, name: string): KeystoneThing | undefined {
  const found = recordAt(value, name)
  const id = textAt(found, 'id')
  const label = textAt(found, 'name')
  return id !== undefined && ID.test(id) && label !== undefined ? { id, name: label } : undefined
}

function recordAt(value: unknown, name: string): Json | undefined {
  const found = isRecord(value) ? value[name] : undefined
  return isRecord(found) ? found : undefined
}

function textAt(value: unknown, name: string): string | undefined {
  const found = isRecord(value) ? value[name] : undefined
  return typeof found === 'string' ? found : undefined
}

function listAt(value: unknown, name: string): readonly unknown[] {
  const found = isRecord(value) ? value[name] : undefined
  return Array.isArray(found) ? found : []
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
