import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'
import { AtelierError } from '../core/index.ts'

const COST_DEFAULT = 2 ** 15 // scrypt's N: 32 MiB and some 80 ms for each guess
const BLOCK = 8
const PARALLEL = 1
const KEY_BYTES = 32
const SALT_BYTES = 16
const PASSWORD_CHARACTERS_MIN = 8
const PASSWORD_BYTES_MAX = 1024
const RUNNING_MAX = 2 // hashing takes threads that files need too
const WAITING_MAX = 50 // 4 s of waiting

/** Throws INVALID_INPUT when `password` is too short or too long to be one. */
export function checkPassword(password: string): void {
  const short = password.length < PASSWORD_CHARACTERS_MIN
  if (!short && Buffer.byteLength(password) <= PASSWORD_BYTES_MAX) return
  const detail = short
    ? `has fewer than ${PASSWORD_CHARACTERS_MIN} characters`
    : `has more than ${PASSWORD_BYTES_MAX} bytes`
  throw new AtelierError('INVALID_INPUT', `The password ${detail}.`, {
    errors: [{ pointer: 'password', detail }],
  })
}

/** Slow one-way hashes of passwords, a few at a time: who guesses waits for those before. */
export class Passwords {
  readonly #cost: number
  readonly #waiting: (() => void)[] = []
  #running = 0
  #unknown: Promise<string> | undefined

  /** `cost`: scrypt's N for new hashes. Only tests, whose passwords guard nothing, may take less than the default. */
  constructor(cost: number = COST_DEFAULT) {
    this.#cost = cost
  }

  async hash(password: string): Promise<string> {
    const salt = randomBytes(SALT_BYTES)
    const key = await this.#derive(password, salt, KEY_BYTES, { N: this.#cost, r: BLOCK, p: PARALLEL })
    return `scrypt$${this.#cost}$${BLOCK}$${PARALLEL}$${salt.toString('base64url')}$${key.toString('base64url')}`
  }

  /** Whether the password is the one of `stored`. Without one (no such user) it takes as long, and the answer is no. */
  async verify(password: string, stored: string | undefined): Promise<boolean> {
    this.#unknown ??= this.hash(randomBytes(16).toString('hex'))
    const [, cost, block, parallel, salt, key] = (stored ?? (await this.#unknown)).split('$')
    const expected = Buffer.from(key ?? '', 'base64url')
    const actual = await this.#derive(
      // A longer one was never set; hashing it would only cost time.
      Buffer.byteLength(password) > PASSWORD_BYTES_MAX ? '' : password,
      Buffer.from(salt ?? '', 'base64url'),
      expected.length,
      { N: Number(cost), r: Number(block), p: Number(parallel) },
    )
    return timingSafeEqual(actual, expected) && stored !== undefined
  }

  async #derive(password: string, salt: Buffer, bytes: number, options: ScryptOptions): Promise<Buffer> {
    await this.#enter()
    try {
      return await new Promise<Buffer>((resolve, reject) =>
        scrypt(password, salt, bytes, { ...options, maxmem: 256 * 1024 ** 2 }, (error, key) =>
          error ? reject(error) : resolve(key),
        ),
      )
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running--
    }
  }

  async #enter(): Promise<void> {
    if (this.#running < RUNNING_MAX) {
      this.#running++
      return
    }
    if (this.#waiting.length >= WAITING_MAX)
      throw new AtelierError('TOO_MANY_REQUESTS', 'Too many logins at once; try again.', { retryAfterS: 5 })
    await new Promise<void>(resolve => this.#waiting.push(resolve))
  }
}
