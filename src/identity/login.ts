import { isIPv6 } from 'node:net'
import { AtelierError, type Clock, ownText } from '../core/index.ts'
import type { Store } from '../store/index.ts'
import type { Passwords } from './passwords.ts'
import { wrongLogin } from './sessions.ts'
import { Throttle } from './throttle.ts'

const KEY_CHARACTERS_MAX = 100
const UNDER_WAY_MAX = 25 // of one place, at once: half of what may wait to be compared
const KNOWN_MAX = 10_000

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
  // Of one user from one place a few mistakes; from everywhere many, and then a wait that annoys a guesser more than a person. Of
  // all users together from one place, which may be a whole office, more still.
  readonly #throttleHere = new Throttle({ failuresFree: 5, delayMsMax: 60_000 })
  readonly #throttleUser = new Throttle({ failuresFree: 50, delayMsMax: 10_000 })
  readonly #throttlePlace = new Throttle({ failuresFree: 200, delayMsMax: 5_000 })
  /** Who came in from where, the latest last: what others get wrong does not keep them waiting there. */
  readonly #known = new Set<string>()
  /** By place. */
  readonly #underWay = new Map<string, number>()

  constructor(parts: { readonly store: Store; readonly clock: Clock; readonly passwords: Passwords }) {
    this.#clock = parts.clock
    this.#store = parts.store
    this.#passwords = parts.passwords
  }

  /**
   * `attempt`, unless there were too many that failed (TOO_MANY_REQUESTS): for this user, or whatever `who` names, from this
   * client or from all together, or for anybody from this client; or too many are under way. When it resolves with nothing, the login was
   * wrong: UNAUTHENTICATED.
   */
  async pass<T>(who: string, client: string | undefined, attempt: () => Promise<T | undefined>): Promise<T> {
    const key = ownText(who.slice(0, KEY_CHARACTERS_MAX)) // a name may have come with megabytes behind it
    const place = placeOf(client ?? '')
    const here = `${place} ${key}`
    this.#admit(key, place, here)
    const result = await attempt()
      .catch((error: unknown) => {
        this.#throttleHere.undo(here)
        this.#throttleUser.undo(key)
        this.#throttlePlace.undo(place)
        throw error
      })
      .finally(() => this.#leave(place))
    if (result === undefined) throw wrongLogin()
    this.#throttleHere.succeed(here)
    this.#throttleUser.succeed(key)
    this.#throttlePlace.undo(place)
    this.#remember(here)
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

  #admit(key: string, place: string, here: string): void {
    const now = this.#clock.now()
    const waitMs = Math.max(
      this.#throttleHere.waitMs(here, now),
      this.#known.has(here)
        ? 0
        : Math.max(this.#throttleUser.waitMs(key, now), this.#throttlePlace.waitMs(place, now)),
    )
    if (waitMs > 0)
      throw new AtelierError('TOO_MANY_REQUESTS', 'Too many logins failed; wait before the next try.', {
        retryAfterS: Math.ceil(waitMs / 1000),
      })
    const underWay = this.#underWay.get(place) ?? 0
    if (underWay >= UNDER_WAY_MAX)
      throw new AtelierError('TOO_MANY_REQUESTS', 'Too many logins at once from where you are; try again.', {
        retryAfterS: 1,
      })
    this.#underWay.set(place, underWay + 1)
    this.#throttleHere.begin(here, now)
    this.#throttleUser.begin(key, now)
    this.#throttlePlace.begin(place, now)
  }

  #leave(place: string): void {
    const left = (this.#underWay.get(place) ?? 1) - 1
    if (left > 0) this.#underWay.set(place, left)
    else this.#underWay.delete(place)
  }

  #remember(here: string): void {
    this.#known.delete(here)
    const [oldest] = this.#known
    if (this.#known.size >= KNOWN_MAX && oldest !== undefined) this.#known.delete(oldest)
    this.#known.add(here)
  }
}

/** The client's address; of IPv6 the network, since who has one address there has all of that. */
function placeOf(client: string): string {
  if (!isIPv6(client) || client.includes('.')) return client
  const [before = [], after = []] = client
    .split('::')
    .map(part => part.split(':').filter(group => group !== ''))
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  return `${[...before, ...zeros, ...after].slice(0, 4).join(':')}::`
}
