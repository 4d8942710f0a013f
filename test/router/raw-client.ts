import { connect, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

export interface RawAnswer {
  readonly status: number
  /** Lower-case names; repeated ones joined with " | ". */
  readonly headers: Readonly<Record<string, string>>
  readonly head: string
  readonly body: string
}

/** A client that sends exactly the bytes it is told to, and reads answers one by one. */
export class RawClient {
  readonly socket: Socket
  isReset = false
  #bytes = Buffer.alloc(0)
  #isEnded = false
  #wake: (() => void) | undefined

  static async open(t: TestContext, port: number): Promise<RawClient> {
    const client = new RawClient(connect({ port, host: '127.0.0.1' }))
    t.after(() => client.socket.destroy())
    await new Promise((resolve, reject) => client.socket.once('connect', resolve).once('error', reject))
    return client
  }

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', chunk => {
      this.#bytes = Buffer.concat([this.#bytes, chunk])
      this.#wake?.()
    })
    socket.on('error', error => {
      this.isReset ||= (error as NodeJS.ErrnoException).code === 'ECONNRESET'
    })
    const over = () => {
      this.#isEnded = true
      this.#wake?.()
    }
    socket.on('end', over)
    socket.on('close', over)
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  /** Bytes that came and were not read as an answer. */
  get rest(): string {
    return this.#bytes.toString('latin1')
  }

  send(text: string | Uint8Array): void {
    this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text)
  }

  /** The next answer; `isHead`: it is to HEAD and has no body. Rejects when the connection ends within it. */
  async answer(isHead = false): Promise<RawAnswer> {
    const end = await this.#find('\r\n\r\n')
    const head = this.#take(end + 4).toString('latin1')
    const [statusLine, ...lines] = head.trimEnd().split('\r\n')
    const headers: Record<string, string> = {}
    for (const line of lines) {
      const [name, value] = [
        line.slice(0, line.indexOf(':')).toLowerCase(),
        line.slice(line.indexOf(':') + 1).trim(),
      ]
      headers[name] = name in headers ? `${headers[name]} | ${value}` : value
    }
    const status = Number(statusLine!.split(' ')[1])
    return { status, headers, head, body: await this.#body(status, headers, isHead) }
  }

  async #body(status: number, headers: Record<string, string>, isHead: boolean): Promise<string> {
    if (isHead || status === 204 || status === 304 || status < 200) return ''
    if (headers['transfer-encoding'] === 'chunked') {
      let text = ''
      for (;;) {
        const chunk = await this.chunk()
        if (chunk === '') return text
        text += chunk
      }
    }
    const length = headers['content-length']
    if (length === undefined) {
      await this.ended()
      return this.#take(this.#bytes.length).toString('latin1')
    }
    await this.#until(() => this.#bytes.length >= Number(length))
    return this.#take(Number(length)).toString('latin1')
  }

  /** One chunk of a chunked body; empty for the last. */
  async chunk(): Promise<string> {
    const line = this.#take((await this.#find('\r\n')) + 2).toString('latin1')
    const size = Number.parseInt(line, 16)
    await this.#until(() => this.#bytes.length >= size + 2)
    return this.#take(size + 2)
      .toString('latin1')
      .slice(0, size)
  }

  /** The head of the next answer, when its body is of no interest yet. */
  async headOnly(): Promise<string> {
    return this.#take((await this.#find('\r\n\r\n')) + 4).toString('latin1')
  }

  async ended(): Promise<void> {
    if (this.#isEnded) return
    await new Promise<void>(resolve => {
      this.socket.once('end', resolve)
      this.socket.once('close', resolve)
    })
  }

  #take(length: number): Buffer {
    const taken = this.#bytes.subarray(0, length)
    this.#bytes = this.#bytes.subarray(length)
    return taken
  }

  async #find(text: string): Promise<number> {
    await this.#until(() => this.#bytes.includes(text))
    return this.#bytes.indexOf(text)
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#isEnded)
        throw new Error(`the connection ended; what came: ${JSON.stringify(this.rest.slice(0, 500))}`)
      await new Promise<void>(resolve => (this.#wake = resolve))
    }
  }
}

/** Resolves when `condition` holds; the test's own time limit is the only other way out. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 2))
}
