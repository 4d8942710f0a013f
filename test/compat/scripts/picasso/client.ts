import assert from 'node:assert/strict'
import type { Place } from '../../place.ts'
import type { Header, Reply } from '../../wire.ts'

export const JSON_TYPE = 'application/json; charset=utf-8'

/** The first route, as it is shown. */
export const VIEW = {
  path: '/hello',
  type: 'sync',
  image: 'iron/hello',
  is_public: false,
  memory: 128,
  timeout: 30,
  max_concurrency: 1,
}

/** What makes a route like the first one. */
export function routeBody(change: object): string {
  return JSON.stringify({ route: { ...VIEW, is_public: 'false', config: {}, ...change } })
}

/** python-picassoclient: the requests that it makes, and what it remembers of the apps that it made. */
export class Client {
  app = ''
  configured = ''

  /** A request as the client makes it: with the token, also where none is needed. */
  async ask(at: Place, method: string, path: string, body?: string): Promise<Reply> {
    const { token } = await at.session('ann')
    const reply = await at.ask('picasso', method, path, { headers: headersOf(token, body), body })
    assert.equal(reply.headers['content-type'], JSON_TYPE)
    return reply
  }

  /** One below `/v1/{project_id}/apps`. */
  async inProject(at: Place, method: string, path: string, body?: string): Promise<Reply> {
    const { projectId } = await at.session('ann')
    return this.ask(at, method, `/v1/${projectId}/apps${path}`, body)
  }

  /** `fn routes execute`: looks whether the route is public, and calls it by the one address or the other. */
  async execute(at: Place, path: string, body: string): Promise<Reply> {
    const shown = await this.inProject(at, 'GET', `/${this.app}/routes${path}`)
    const { projectId } = await at.session('ann')
    const rest = `${this.app}${path}`
    return this.ask(
      at,
      'POST',
      shown.json.route.is_public ? `/r/${rest}` : `/v1/r/${projectId}/${rest}`,
      body,
    )
  }
}

/** As python-requests and keystoneauth send them for the client. */
export function headersOf(token: string, body: string | undefined): readonly Header[] {
  return [
    ['User-Agent', 'python-picassoclient'],
    ['Accept-Encoding', 'gzip, deflate'],
    ['Accept', '*/*'],
    ['Connection', 'keep-alive'],
    ['X-Auth-Token', token],
    ...(body === undefined ? [] : ([['Content-Type', 'application/json']] as const)),
  ]
}
