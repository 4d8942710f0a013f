import { AtelierError, type Clock } from '../../core/index.ts'
import { type KeystoneAnswer, KeystoneHttp, type KeystoneRequest } from './http.ts'
import { baseUrlOf, domainOf, type KeystoneSettings, type ServiceUser } from './settings.ts'
import { type KeystoneToken, readToken } from './token.ts'

/** The server's own token is renewed when it has no longer to live than this. */
const SPARE_MS = 5_000

/**
 * Before each attempt with an own token, of which all but the first are new. What ends tokens at Keystone, such as a password that
 * is set, ends also those that are made later in the same second.
 */
const PAUSES_MS = [0, 0, 1_000]

const TRUSTS = '/OS-TRUST/trusts'

/** A token, and what it stands for. */
export interface Issued {
  readonly token: string
  readonly what: KeystoneToken
}

export type KeystoneScope =
  | { readonly project: { readonly id: string } | { readonly name: string; readonly domain: object } }
  | { readonly 'OS-TRUST:trust': { readonly id: string } }

/**
 * Asks Keystone as the server's own user. Everything that is wrong with that user or with Keystone is UNAVAILABLE; what is wrong with
 * the tokens of others is said by the result.
 */
export class KeystoneClient {
  readonly #service: ServiceUser | undefined
  readonly #http: KeystoneHttp
  readonly #clock: Clock
  /** Ends with `/v3`. */
  readonly url: string
  #own: Issued | undefined
  #renewing: Promise<Issued> | undefined

  constructor(settings: KeystoneSettings, clock: Clock) {
    this.#service = settings.service
    this.#clock = clock
    this.url = baseUrlOf(settings.url)
    this.#http = new KeystoneHttp(this.url, settings.ca)
  }

  /** What a token stands for; `undefined` when it is not valid. `graceful`: nor if it ended not long ago. */
  async validate(subject: string, graceful = false): Promise<KeystoneToken | undefined> {
    const query = graceful ? '?nocatalog&allow_expired=1' : '?nocatalog'
    const request = { method: 'GET', path: `/auth/tokens${query}`, subject, keepsRules: true } as const
    const answer = await (this.#service
      ? this.#asOwn(request)
      : this.#http.ask({ ...request, token: subject }))
    if (answer.status === 404 || (answer.status === 401 && !this.#service)) return undefined
    if (answer.status === 200) return this.#read(answer)
    if (answer.status === 403)
      throw this.#http.unavailable(
        this.#service
          ? `does not let the user "${this.#service.user}" check tokens: grant it the role service in project "${this.#service.project}"`
          : 'lets no token ask about itself: name a user of this server with keystone-password-file',
      )
    throw this.#unexpected(answer)
  }

  /** A token for another project of the same user; `undefined` when there is none to be had. */
  async rescope(token: string, scope: KeystoneScope): Promise<Issued | undefined> {
    const auth = { identity: { methods: ['token'], token: { id: token } }, scope }
    const path = '/auth/tokens?nocatalog'
    const answer = await this.#http.ask({ method: 'POST', path, body: { auth } })
    if (answer.status === 201) return this.#issued(answer)
    if ([401, 403, 404].includes(answer.status)) return undefined
    throw this.#unexpected(answer)
  }

  /** A trust of the token's user to the server's own; resolves with its id. */
  async createTrust(token: string, projectId: string, roles: readonly string[]): Promise<string> {
    const [lender, own] = [await this.validate(token), await this.own()]
    if (!lender || !own) throw new AtelierError('UNAUTHENTICATED', 'The token is not valid, or no longer.')
    const trust = {
      trustor_user_id: lender.user.id,
      trustee_user_id: own.user.id,
      project_id: projectId,
      impersonation: true,
      roles: roles.map(name => ({ name })),
    }
    const answer = await this.#http.ask({ method: 'POST', path: TRUSTS, token, body: { trust } })
    const id = answer.status === 201 ? idIn(answer.body) : undefined
    if (id !== undefined) return id
    if (answer.status === 404) throw new AtelierError('NOT_FOUND', 'There is no such role in the project.')
    if (answer.status === 401 || answer.status === 403)
      throw new AtelierError(
        'FORBIDDEN',
        'Keystone lets this token lend no roles: one of an application credential or a trust cannot. Use one that was got with a password.',
      )
    throw this.#unexpected(answer)
  }

  /** A token by a trust that was given to the server's own user; `undefined` when the trust has ended. */
  async borrow(trustId: string): Promise<Issued | undefined> {
    await this.own() // what is wrong with that user itself is said there
    const answer = await this.#logInFor({ 'OS-TRUST:trust': { id: trustId } })
    if (answer.status === 201) return this.#issued(answer)
    if ([401, 403, 404].includes(answer.status)) return undefined
    throw this.#unexpected(answer)
  }

  /** Ends such a trust: its own token may. */
  async deleteTrust(trustId: string): Promise<void> {
    const issued = await this.borrow(trustId)
    if (!issued) return
    const path = `${TRUSTS}/${encodeURIComponent(trustId)}`
    const answer = await this.#http.ask({ method: 'DELETE', path, token: issued.token })
    if (answer.status !== 204 && answer.status !== 404) throw this.#unexpected(answer)
  }

  /** What the server's own user is, if it has one. */
  async own(): Promise<KeystoneToken | undefined> {
    return this.#service && (await this.#ownToken()).what
  }

  close(): void {
    this.#http.close()
  }

  /** With the server's own token, which is renewed when it is refused. */
  async #asOwn(request: KeystoneRequest): Promise<KeystoneAnswer> {
    for (const pauseMs of PAUSES_MS) {
      if (pauseMs > 0) await new Promise<void>(resolve => this.#clock.after(pauseMs, resolve))
      const { token } = await this.#ownToken()
      const answer = await this.#http.ask({ ...request, token })
      if (answer.status !== 401) return answer
      if (this.#own?.token === token) this.#own = undefined
    }
    throw this.#http.unavailable('refuses the tokens that it just gave us')
  }

  async #ownToken(): Promise<Issued> {
    if (this.#own && this.#clock.now() < this.#own.what.expiresAt - SPARE_MS) return this.#own
    this.#renewing ??= this.#logIn().finally(() => {
      this.#renewing = undefined
    })
    return (this.#own = await this.#renewing)
  }

  /** As the server's own user. */
  #logInFor(scope: KeystoneScope): Promise<KeystoneAnswer> {
    const { user: name, password, domain } = this.#ownUser
    const user = { name, domain: domainOf(domain), password }
    const auth = { identity: { methods: ['password'], password: { user } }, scope }
    return this.#http.ask({ method: 'POST', path: '/auth/tokens?nocatalog', body: { auth } })
  }

  get #ownUser(): ServiceUser {
    if (this.#service) return this.#service
    throw new Error('there is no user to log in as')
  }

  async #logIn(): Promise<Issued> {
    const { user, project, domain } = this.#ownUser
    const answer = await this.#logInFor({ project: { name: project, domain: domainOf(domain) } })
    if (answer.status === 201) return this.#issued(answer)
    if (answer.status === 401 || answer.status === 403)
      throw this.#http.unavailable(
        `refuses the user "${user}" of this server in project "${project}": check its name, domain, password and role`,
      )
    throw this.#unexpected(answer)
  }

  #issued(answer: KeystoneAnswer): Issued {
    const what = this.#read(answer)
    if (answer.subjectToken === undefined) throw this.#http.unavailable('gave no token')
    return { token: answer.subjectToken, what }
  }

  #read({ body }: KeystoneAnswer): KeystoneToken {
    const token = readToken(body)
    if (!token) throw this.#http.unavailable('describes a token in a way that cannot be read')
    return token
  }

  #unexpected({ status }: KeystoneAnswer): AtelierError {
    return this.#http.unavailable(`answered ${status}`)
  }
}

function idIn(body: unknown): string | undefined {
  const { trust } = (body ?? {}) as { readonly trust?: { readonly id?: unknown } }
  return typeof trust?.id === 'string' ? trust.id : undefined
}
