/** Where Keystone is, whom the server asks it as, and what its roles mean here. */
export interface KeystoneSettings {
  /** With `/v3` or without. */
  readonly url: string
  /** Whom tokens are checked as. Without one each is asked about itself, which Keystone lets it be. */
  readonly service?: ServiceUser
  /** Certificates (PEM) to trust instead of the system's. */
  readonly ca?: string
  /** Names of Keystone's roles that mean each of ours. */
  readonly roles: Readonly<Record<MappedRole, readonly string[]>>
  /** Ids or names of the projects in which an operator's role makes one; empty for any. */
  readonly adminProjects: readonly string[]
  /** Ids or names of the domains whose projects are let in; empty for all. */
  readonly domains: readonly string[]
  /** How long a checked token is believed without asking again. */
  readonly cacheMs: number
}

/** The server's own user: the role `service` on its project is enough. */
export interface ServiceUser {
  readonly user: string
  readonly password: string
  readonly project: string
  /** Of user and project: a name, or the id `default`. */
  readonly domain: string
}

export type MappedRole = 'admin' | 'member' | 'reader'

/** `{ id }` or `{ name }` of a domain in requests. Its first domain has the id `default` everywhere, whatever its name. */
export function domainOf(text: string): { readonly id: string } | { readonly name: string } {
  return text === 'default' ? { id: text } : { name: text }
}

/** The address of the API v3, without a slash at the end. */
export function baseUrlOf(url: string): string {
  const base = url.replace(/\/+$/, '')
  return base.endsWith('/v3') ? base : `${base}/v3`
}
