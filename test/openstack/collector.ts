import assert from 'node:assert/strict'
import { type ServerProcess, until } from '../support/server-process.ts'

const WITHIN_MS = 120_000
const MARK = 'EVENT '

/** Writes what it gets into its log, where a test finds it. */
const SOURCE = `export default async function collect(request) {
  const body = { ...(await request.json()), hasToken: request.headers.has('x-auth-token') }
  console.log(${JSON.stringify(MARK)} + JSON.stringify(body))
  return new Response(null, { status: 204 })
}
`

export interface TriggerSeen {
  readonly url?: string
  readonly status: {
    readonly state: string
    readonly accepted: number
    readonly filtered: number
    readonly lastError?: string
    readonly details?: Readonly<Record<string, unknown>>
  }
}

/** A function with one trigger: what happens at the trigger can be seen in the function. */
export class Collector<T> {
  readonly name: string
  readonly #server: ServerProcess

  private constructor(server: ServerProcess, name: string) {
    this.#server = server
    this.name = name
  }

  static async create<T>(
    server: ServerProcess,
    name: string,
    kind: string,
    config: object,
  ): Promise<Collector<T>> {
    await server.deploy(name, { 'index.mjs': SOURCE })
    const trigger = { name, kind, app: 'default', function: name, config }
    const answer = await server.api('POST', '/v1/triggers', trigger)
    assert.equal(answer.status, 201, answer.text)
    return new Collector<T>(server, name)
  }

  async trigger(): Promise<TriggerSeen> {
    return (await this.#server.api<TriggerSeen>('GET', `/v1/triggers/${this.name}`)).json
  }

  /** Its secret URL. */
  async url(): Promise<string> {
    const { url } = await this.trigger()
    assert.ok(url, 'the trigger has a URL')
    return url
  }

  /** What the function got so far, oldest first. */
  async events(): Promise<readonly T[]> {
    const path = `/v1/apps/default/functions/${this.name}/logs?contains=${encodeURIComponent(MARK)}`
    const { text } = await this.#server.api('GET', path)
    const lines = text.split('\n').filter(line => line !== '')
    return lines.map(line => {
      const { text: said } = JSON.parse(line) as { readonly text: string }
      return JSON.parse(said.slice(MARK.length)) as T
    })
  }

  /** Waits until an event fits; resolves with all of them. */
  async got(what: string, fits: (event: T) => boolean): Promise<readonly T[]> {
    let events: readonly T[] = []
    await this.#eventually(`${this.name} got ${what}`, async () => {
      events = await this.events()
      return events.some(fits)
    })
    return events
  }

  async is(what: string, holds: (trigger: TriggerSeen) => boolean): Promise<TriggerSeen> {
    let trigger = await this.trigger()
    await this.#eventually(`${this.name} ${what}`, async () => {
      trigger = await this.trigger()
      return holds(trigger)
    })
    return trigger
  }

  async #eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
    try {
      await until(what, holds, WITHIN_MS)
    } catch (error) {
      const seen = JSON.stringify([await this.trigger(), await this.events()])
      throw new Error(`${String(error)}; what there is: ${seen}`, { cause: error })
    }
  }
}
