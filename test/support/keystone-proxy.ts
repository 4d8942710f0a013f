import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Stands before a real identity service, to count what it is asked and to break. */
export class KeystoneProxy {
  /** `METHOD /path`, as they came. */
  readonly asked: string[] = []
  /** Instead of an answer: a status, or the end of the connection. */
  trouble: number | 'cut' | undefined
  readonly #target: URL
  readonly #server: Server

  private constructor(target: URL, server: Server) {
    this.#target = target
    this.#server = server
    server.on('request', (asked, answer) => this.#pass(asked, answer))
  }

  /** `target` as `url` will be: with `/v3`. */
  static async open(target: string): Promise<KeystoneProxy> {
    const proxy = new KeystoneProxy(new URL(target), createServer())
    await new Promise<void>(resolve => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo
    return `http://127.0.0.1:${port}${this.#target.pathname}`
  }

  /** How often a token was asked about. */
  get validations(): number {
    return this.asked.filter(each => /^GET .*\/auth\/tokens/.test(each)).length
  }

  get logins(): number {
    return this.asked.filter(each => /^POST .*\/auth\/tokens/.test(each)).length
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
  }

  #pass(asked: IncomingMessage, answer: ServerResponse): void {
    this.asked.push(`${asked.method} ${asked.url}`)
    if (this.trouble === 'cut') return void asked.destroy()
    if (this.trouble !== undefined) return void answer.writeHead(this.trouble).end('{}')
    const { method, headers, url } = asked
    const target = new URL(url ?? '/', this.#target)
    const sent = request(target, { method, headers: { ...headers, host: target.host } }, got => {
      answer.writeHead(got.statusCode ?? 500, got.headers)
      got.pipe(answer)
    })
    sent.on('error', () => answer.destroy())
    asked.pipe(sent)
  }
}
