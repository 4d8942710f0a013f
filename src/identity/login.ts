import { AtelierError, type Clock, ownText } from '../core/index.ts'
import type { Store } from '../store/index.ts'
import type { Passwords } from './passwords.ts'
import { wrongLogin } from './sessions.ts'
import { Throttle } from './throttle.ts'

const KEY_CHARACTERS_MAX = 100

/** A user as somebody names it. */
export type UserReference = { readonly id: string } | { readonly name: string }

/** A user whose password was right. */
export interface Proven {
  readonly id: string
  readonly name: string
  /** What the password was compared with; to be looked at again when something is written. */
  readonly passwordHash: string
}

/** Whoever guesses secrets meets this first. */
export class Door {
  readonly #clock: Clock
  readonly #store: Store
  readonly #passwords: Passwords
  // From one place a few mistakes; from everywhere many, and then a wait that annoys a guesser more than a person.
  readonly #throttleHere = new Throttle({ failuresFree: 5, delayMsMax: 60_000 })
  readonly #throttleUser = new Throttle({ failuresFree: 50, delayMsMax: 10_000 })

  constructor(parts: { readonly store: Store; readonly clock: Clock; readonly passwords: Passwords }) {
    this.#clock = parts.clock
    this.#store = parts.store
    this.#passwords = parts.passwords
  }

  /**
   * `attempt`, unless there were too many that failed (TOO_MANY_REQUESTS): for this user, or whatever `who` names, from this
   * client or from all together. When it resolves with nothing, the login was wrong: UNAUTHENTICATED.
   */
  async pass<T>(who: string, client: string | undefined, attempt: () => Promise<T | undefined>): Promise<T> {
    const key = ownText(who.slice(0, KEY_CHARACTERS_MAX)) // a name may have come with megabytes behind it
    const here = `${client ?? ''} ${key}`
    const now = this.#clock.now()
    const waitMs = Math.max(this.#throttleHere.waitMs(here, now), this.#throttleUser.waitMs(key, now))
    if (waitMs > 0)
      throw new AtelierError('TOO_MANY_REQUESTS', 'Too many logins failed; wait before the next try.', {
        retryAfterS: Math.ceil(waitMs / 1000),
      })
    this.#throttleHere.begin(here, now)
    this.#throttleUser.begin(key, now)
    const result = await attempt().catch((error: unknown) => {
      this.#throttleHere.undo(here)
      this.#throttleUser.undo(key)
      throw error
    })
    if (result === undefined) throw wrongLogin()
    this.#throttleHere.succeed(here)
    this.#throttleUser.succeed(key)
    return result
  }

  /** `use` for the user whose password this is, through `pass`. Takes as long when there is no such user. */
  async withPassword<T>(
    reference: UserReference,
    password: string,
    client: string | undefined,
    use: (user: Proven) => Promise<T | undefined>,
  ): Promise<T> {
    const users = this.#store.db.selectFrom('users').select(['id', 'name', 'password_hash', 'enabled'])
    const user = await ('id' in reference
      ? users.where('id', '=', reference.id)
      : users.where('name', '=', reference.name)
    ).executeTakeFirst()
    // By id or by name, it is the same door.
    const who = user?.name ?? ('id' in reference ? `id ${reference.id}` : reference.name)
    return this.pass(who, client, async () => {
      const right = await this.#passwords.verify(password, user?.password_hash)
      if (!user || !right || user.enabled !== 1) return undefined
      return use({ id: user.id, name: user.name, passwordHash: user.password_hash })
    })
  }
}
