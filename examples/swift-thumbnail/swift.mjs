const RENEW_MS = 60_000 // before the end of a token

/** One project's account in Swift, by an application credential. The token is kept as long as it is good. */
export class Swift {
  #settings
  #session

  constructor({ authUrl, credentialId, credentialSecret, region }) {
    this.#settings = { authUrl: authUrl.replace(/\/(v3\/?)?$/, ''), credentialId, credentialSecret, region }
  }

  /** An object, or undefined when there is none. */
  async get(container, object) {
    const response = await this.#request('GET', container, object)
    if (response.status === 404) return undefined
    if (!response.ok) throw new Error(`Swift answered ${response.status} to GET ${container}/${object}`)
    return response
  }

  async put(container, object, body, headers) {
    const response = await this.#request('PUT', container, object, { body, headers })
    if (!response.ok) throw new Error(`Swift answered ${response.status} to PUT ${container}/${object}`)
  }

  /** Also when there is none. */
  async delete(container, object) {
    const response = await this.#request('DELETE', container, object)
    if (!response.ok && response.status !== 404)
      throw new Error(`Swift answered ${response.status} to DELETE ${container}/${object}`)
  }

  async #request(method, container, object, { body, headers = {} } = {}) {
    const { token, url } = await this.#signedIn()
    const path = [container, ...object.split('/')].map(encodeURIComponent).join('/')
    return fetch(`${url}/${path}`, { method, body, headers: { ...headers, 'x-auth-token': token } })
  }

  async #signedIn() {
    if (this.#session && this.#session.endsAt - RENEW_MS > Date.now()) return this.#session
    const { authUrl, credentialId: id, credentialSecret: secret, region } = this.#settings
    const identity = { methods: ['application_credential'], application_credential: { id, secret } }
    const response = await fetch(`${authUrl}/v3/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ auth: { identity } }),
    })
    if (response.status !== 201) throw new Error(`Keystone answered ${response.status} to the request for a token`)
    const { token } = await response.json()
    const store = token.catalog.find(service => service.type === 'object-store')
    const endpoint = store?.endpoints.find(
      each => each.interface === 'public' && (region === undefined || each.region_id === region),
    )
    if (!endpoint) throw new Error('the catalogue has no object store')
    this.#session = {
      token: response.headers.get('x-subject-token'),
      url: endpoint.url,
      endsAt: Date.parse(token.expires_at),
    }
    return this.#session
  }
}
