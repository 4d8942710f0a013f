import type { ApplicationCredentials } from './application-credentials.ts'
import type { TokenRequest } from './issuing.ts'
import type { People } from './people.ts'
import type { Places } from './places.ts'
import type { Session } from './session.ts'
import type { IssuedSession } from './sessions.ts'
import type { Trusts } from './trusts.ts'

/** All that the embedded identity keeps, by id: what Keystone v3 speaks of. `by` is who asks. */
export interface Directory extends People, Places, Trusts, ApplicationCredentials {
  /** See `tokenIssuing`. */
  issue(request: TokenRequest): Promise<IssuedSession>
  /** What a token stands for now, or `undefined`. `graceMs`: how long ago it may have expired; at most 48 hours. */
  inspect(token: string, graceMs?: number): Promise<Session | undefined>
}
