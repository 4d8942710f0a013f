import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export interface StoredObject {
  readonly name: string
  readonly hash: string
  readonly bytes: number
  /** ISO, as Swift writes it: without a zone. */
  readonly last_modified: string
}

/**
 * Keystone and Swift as their wire looks, in one server: for faults that the real ones cannot be asked for. What the real
 * ones say is in test/openstack.
 */
export class StoreDouble {
  readonly requests: string[] = []
  readonly bodies: unknown[] = []
  objects: StoredObject[] = []
  /** Answers with this status instead of a listing, while it is set. */
  listingStatus: number | undefined
  signInStatus = 201
  /** Tokens that are good; each sign-in gives the next. */
  token = 0
  container = 'up'
  redirect: string | undefined
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(): Promise<StoreDouble> {
    const server = createServer()
    const double = new StoreDouble(server)
    server.on('request', (request, response) => void double.#answer(request, response))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    return double
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url)
    this.requests.push(`${request.method} ${url.pathname}${url.search}`)
    if (url.pathname === '/v3/auth/tokens') {
      this.bodies.push(JSON.parse(await text(request)))
      response.statusCode = this.signInStatus
      response.setHeader('x-subject-token', `token-${++this.token}`)
      const endpoint = (side: string, region_id: string) => ({
        interface: side,
        region_id,
        url: `${this.url}/v1/${side}-${region_id}`,
      })
      const endpoints = [endpoint('internal', 'One'), endpoint('public', 'One'), endpoint('public', 'Two')]
      response.end(JSON.stringify({ token: { catalog: [{ type: 'object-store', endpoints }] } }))
      return
    }
    if (this.redirect !== undefined) {
      response.writeHead(302, { location: this.redirect }).end()
      return
    }
    const isKnown = url.pathname.endsWith(`/${this.container}`)
    const isSigned = request.headers['x-auth-token'] === `token-${this.token}`
    const status = this.listingStatus ?? (isSigned ? (isKnown ? 200 : 404) : 401)
    response.statusCode = status
    if (status !== 200) return void response.end('<html>no</html>')
    const marker = url.searchParams.get('marker') ?? ''
    const prefix = url.searchParams.get('prefix') ?? ''
    const limit = Number(url.searchParams.get('limit'))
    const page = this.objects
      .filter(each => each.name > marker && each.name.startsWith(prefix))
      .slice(0, limit)
    response.end(JSON.stringify(page))
  }
}
