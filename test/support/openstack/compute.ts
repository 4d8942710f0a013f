import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A server, as Nova (API v2.1, microversion 2.1) tells of one; what nobody here reads is left out. */
interface NovaServer {
  readonly id: string
  readonly name: string
  readonly status: string
  readonly addresses: Readonly<Record<string, readonly { readonly version: number; readonly addr: string }[]>>
}

const PAGE = 2

/** OpenStack Compute, as far as it lists servers: each project its own, in pages, to whoever shows a token that Keystone holds for good. */
export class Compute implements AsyncDisposable {
  /** With the version, as catalogues name it. */
  readonly url: string
  /** The tokens that it was shown. */
  readonly shown: string[] = []
  readonly #close: () => Promise<void>

  private constructor(url: string, close: () => Promise<void>) {
    this.url = url
    this.#close = close
  }

  /** `authUrl`: of Keystone, with the version; `token`: of its own, to ask with what others are worth. */
  static async start({
    authUrl,
    token,
    servers,
  }: {
    readonly authUrl: string
    readonly token: () => Promise<string>
    /** By the project's id. */
    readonly servers: Readonly<Record<string, readonly NovaServer[]>>
  }): Promise<Compute> {
    const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const subject = String(request.headers['x-auth-token'])
      compute.shown.push(subject)
      const known = await fetch(`${authUrl}/auth/tokens?nocatalog`, {
        headers: { 'x-auth-token': await token(), 'x-subject-token': subject },
      })
      const { pathname, searchParams } = new URL(request.url ?? '/', compute.url)
      if (!known.ok) return send(response, 401, { error: { code: 401, title: 'Unauthorized' } })
      if (pathname !== '/v2.1/servers/detail')
        return send(response, 404, {
          itemNotFound: { code: 404, message: 'The resource could not be found.' },
        })
      const said = (await known.json()) as { token: { project: { id: string } } }
      const all = servers[said.token.project.id] ?? []
      const from = all.findIndex(each => each.id === searchParams.get('marker')) + 1
      const page = all.slice(from, from + PAGE)
      const next = { rel: 'next', href: `${compute.url}/servers/detail?marker=${page.at(-1)?.id}` }
      const links = from + PAGE < all.length ? { servers_links: [next] } : {}
      send(response, 200, { servers: page, ...links })
    }
    const server = createServer((request, response) => {
      answer(request, response).catch((error: unknown) => send(response, 500, { error: String(error) }))
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    const compute = new Compute(`http://127.0.0.1:${port}/v2.1`, async () => {
      server.closeAllConnections()
      await once(server.close(), 'close')
    })
    return compute
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close()
  }
}

/** So many servers whose names begin like this. */
export function someServers(name: string, count: number): readonly NovaServer[] {
  return Array.from({ length: count }, (_, i) => ({
    id: `5ae7f1c6-0000-4000-8000-${name.padEnd(11, '0').replaceAll(/[^0-9a-f]/g, '0')}${i}`,
    name: `${name}-${i + 1}`,
    status: i === 0 ? 'ACTIVE' : 'SHUTOFF',
    addresses: { private: [{ version: 4, addr: `192.0.2.${i + 1}` }] },
  }))
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
