import type { Control } from '../control/index.ts'
import type { EmbeddedIdentity } from '../identity/index.ts'

/** What the identity API stands on. */
export interface IdentityApiParts {
  readonly identity: Pick<EmbeddedIdentity, 'directory' | 'revoke'>
  /** Projects own functions, so making and changing them is the control plane's. */
  readonly projects: Pick<Control, 'createProject' | 'updateProject' | 'deleteProject'>
  /** What else the catalogue names beside this API. */
  readonly services: readonly CatalogueService[]
  /** Whether a proxy in front says truly by which scheme it was asked. */
  readonly trustForwarded: boolean
  readonly log: IdentityApiLog
}

/** A service of this server, or beside it, that clients find by its type. */
export interface CatalogueService {
  readonly type: string
  readonly name: string
  /** Where it is, seen by who reached this server at `base` (scheme and host, no slash at the end). */
  url(base: string): string
}

export interface IdentityApiLog {
  error(fields: object, message: string): void
}
