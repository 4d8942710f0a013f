import { AtelierError } from '../../core/index.ts'
import { KeystoneHttp, type KeystoneRequest } from './http.ts'
import { baseUrlOf, domainOf } from './settings.ts'

/** Who may enter users and services at a Keystone. */
export interface AdministratorLogin {
  /** With `/v3` or without. */
  readonly url: string
  readonly user: string
  readonly password: string
  readonly project: string
  /** Names, or the id `default`. */
  readonly userDomain: string
  readonly projectDomain: string
  readonly ca?: string
}

export interface Entry {
  readonly id: string
  readonly [field: string]: unknown
}

/** Keystone's API as its administrator uses it. Rejects with UNAUTHENTICATED, FORBIDDEN, NOT_FOUND or UNAVAILABLE that say where. */
export class Administrator {
  readonly #http: KeystoneHttp
  readonly #token: string

  private constructor(http: KeystoneHttp, token: string) {
    this.#http = http
    this.#token = token
  }

  static async logIn(login: AdministratorLogin): Promise<Administrator> {
    const http = new KeystoneHttp(baseUrlOf(login.url), login.ca)
    const user = { name: login.user, domain: domainOf(login.userDomain), password: login.password }
    const project = { name: login.project, domain: domainOf(login.projectDomain) }
    const auth = { identity: { methods: ['password'], password: { user } }, scope: { project } }
    const answer = await http.ask({ method: 'POST', path: '/auth/tokens?nocatalog', body: { auth } })
    if (answer.status === 201 && answer.subjectToken !== undefined)
      return new Administrator(http, answer.subjectToken)
    http.close()
    if (answer.status === 401)
      throw new AtelierError(
        'UNAUTHENTICATED',
        `Keystone at ${login.url} refuses the login of ${login.user}.`,
      )
    throw new AtelierError(
      'UNAVAILABLE',
      `Keystone at ${login.url} answered ${answer.status} to the login of ${login.user}.`,
    )
  }

  /** The entries of a collection that have these fields; a name of a field is one of the API's filters. */
  async find(collection: string, filter: Readonly<Record<string, string>>): Promise<readonly Entry[]> {
    const query = new URLSearchParams(filter).toString()
    const body = await this.#ask({ method: 'GET', path: `/${collection}?${query}` })
    const list = isRecord(body) ? body[collection] : undefined
    if (!Array.isArray(list)) throw this.#http.unavailable(`lists ${collection} in a way that cannot be read`)
    return list.filter(isEntry)
  }

  /** `singular` is the name of one entry, which is also the key of bodies. */
  async create(collection: string, singular: string, fields: object): Promise<Entry> {
    const path = `/${collection}`
    const body = await this.#ask({ method: 'POST', path, body: { [singular]: fields } })
    const entry = isRecord(body) ? body[singular] : undefined
    if (isEntry(entry)) return entry
    throw this.#http.unavailable(`tells of a new ${singular} in a way that cannot be read`)
  }

  async update(collection: string, singular: string, id: string, fields: object): Promise<void> {
    const path = `/${collection}/${encodeURIComponent(id)}`
    await this.#ask({ method: 'PATCH', path, body: { [singular]: fields } })
  }

  async grant(user: Entry, project: Entry, role: Entry): Promise<void> {
    const [p, u, r] = [project, user, role].map(each => encodeURIComponent(each.id))
    await this.#ask({ method: 'PUT', path: `/projects/${p}/users/${u}/roles/${r}` })
  }

  close(): void {
    this.#http.close()
  }

  async #ask(request: KeystoneRequest): Promise<unknown> {
    const { status, body } = await this.#http.ask({ ...request, token: this.#token })
    if (status < 300) return body
    const what = `${request.method} ${request.path.split('?', 1)[0]}`
    const error = isRecord(body) && isRecord(body['error']) ? body['error']['message'] : undefined
    const why = typeof error === 'string' ? `: ${error.slice(0, 300)}` : ''
    if (status === 401 || status === 403)
      throw new AtelierError('FORBIDDEN', `Keystone does not allow ${what} (${status})${why}`)
    if (status === 404 || status === 405 || status === 501)
      throw new AtelierError('NOT_FOUND', `Keystone has no ${what} (${status})${why}`)
    if (status === 409) throw new AtelierError('CONFLICT', `Keystone refuses ${what} (${status})${why}`)
    throw this.#http.unavailable(`answered ${status} to ${what}${why}`)
  }
}

function isEntry(value: unknown): value is Entry {
  return isRecord(value) && typeof value['id'] === 'string'
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
