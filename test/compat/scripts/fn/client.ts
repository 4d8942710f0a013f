import assert from 'node:assert/strict'
import type { Place } from '../../place.ts'
import { goHeaders } from '../../step.ts'
import type { Reply } from '../../wire.ts'

export const ID = /^[0-9A-HJKMNP-TV-Z]{26}$/
/** Go's models leave out no time, also where none was set. */
export const NO_TIMES = '"created_at":"0001-01-01T00:00:00.000Z","updated_at":"0001-01-01T00:00:00.000Z"'

/** Fn's command line: it finds things by name, and sends back whole what it changes. Remembers the ids that it was told. */
export class Client {
  app = ''
  fn = ''
  trigger = ''

  async ask(at: Place, method: string, path: string, body?: string): Promise<Reply> {
    const reply = await at.ask('fn', method, path, { headers: goHeaders(body), body })
    if (reply.text !== '')
      assert.equal(reply.headers['content-type'], 'application/json; charset=utf-8', reply.text)
    return reply
  }

  appNamed(at: Place) {
    return this.#one(at, '/v2/apps?name=shop')
  }

  async fnNamed(at: Place) {
    return this.#one(at, `/v2/fns?app_id=${(await this.appNamed(at)).id}&name=hello`)
  }

  async triggerNamed(at: Place) {
    const { id, app_id } = await this.fnNamed(at)
    return this.#one(at, `/v2/triggers?app_id=${app_id}&fn_id=${id}&name=way`)
  }

  /** `fn invoke`, which calls at the address that the function's annotations tell. */
  async invoke(at: Place, body: string): Promise<Reply> {
    const { annotations } = await this.fnNamed(at)
    const address = annotations['fnproject.io/fn/invokeEndpoint']
    assert.equal(address, `${at.server.dialect('fn')}/invoke/${this.fn}`)
    const headers = [
      ['User-Agent', 'Go-http-client/1.1'],
      ['Content-Type', 'text/plain'],
      ['Accept-Encoding', 'gzip'],
    ] as const
    return at.ask('fn', 'POST', new URL(address).pathname, { body, headers })
  }

  async #one(at: Place, path: string) {
    const { json } = await this.ask(at, 'GET', path)
    assert.equal(json.items.length, 1, path)
    return json.items[0]
  }
}
