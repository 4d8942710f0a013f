import type { Agent, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { AtelierError, nodeHttp } from '../../core/index.ts'

const API = '/v1.41'
const ANSWER_BYTES_MAX = 8 * 1024 * 1024
const SOCKETS_MAX = 128
const REFUSAL_CHARACTERS_MAX = 8_192
const LINE_CHARACTERS_MAX = 1024 * 1024

export interface EngineAnswer {
  readonly status: number
  /** The body read as JSON; `undefined` when it is none. */
  readonly json: unknown
  /** What the engine says went wrong, in its words; empty when nothing did. */
  readonly message: string
}

export interface AskOptions {
  readonly body?: unknown
  /** A body as it is, in the place of `body`. */
  readonly archive?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  /** No word of the engine for so long is an error. @default none */
  readonly timeoutMs?: number
}

/**
 * The engine's HTTP over its Unix socket. Rejects with BACKEND_FAILED when there is nobody, or when it leaves in the middle; what it
 * answers, errors as well, is the caller's to judge.
 */
export class EngineHttp {
  readonly path: string
  readonly #agent: Agent

  constructor(path: string) {
    this.path = path
    // Kept connections break with the engine's restart; a new one costs a tenth of a millisecond.
    this.#agent = new (nodeHttp().Agent)({ keepAlive: false, maxSockets: SOCKETS_MAX })
  }

  async ask(method: string, target: string, options: AskOptions = {}): Promise<EngineAnswer> {
    const response = await this.#send(method, target, options)
    const pieces: Buffer[] = []
    let bytes = 0
    try {
      for await (const piece of response as AsyncIterable<Buffer>) {
        bytes += piece.length
        if (bytes > ANSWER_BYTES_MAX) throw new Error(`more than ${ANSWER_BYTES_MAX} bytes`)
        pieces.push(piece)
      }
    } catch (error) {
      throw this.#lost(error)
    }
    return answerOf(response.statusCode ?? 0, Buffer.concat(pieces).toString())
  }

  /** Each JSON value of an answer that comes piece by piece, or the whole answer when it is an error. */
  async *lines(
    method: string,
    target: string,
    options: AskOptions = {},
  ): AsyncGenerator<unknown, EngineAnswer> {
    const response = await this.#send(method, target, options)
    response.setEncoding('utf8') // a piece may end within a character
    let rest = ''
    try {
      for await (const piece of response as AsyncIterable<string>) {
        rest += piece
        if (rest.length > LINE_CHARACTERS_MAX)
          throw new Error(`a line of more than ${LINE_CHARACTERS_MAX} characters`)
        if (response.statusCode !== 200) continue
        const lines = rest.split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) if (line.trim() !== '') yield JSON.parse(line)
      }
    } catch (error) {
      throw this.#lost(error)
    }
    if (response.statusCode === 200 && rest.trim() !== '') yield JSON.parse(rest)
    return answerOf(response.statusCode ?? 0, rest)
  }

  /** A raw stream to a container's stdin, stdout and stderr, or why the engine gives none, in its words. */
  hijack(target: string, signal: AbortSignal): Promise<Duplex | { readonly refused: string }> {
    return new Promise((resolve, reject) => {
      const request = nodeHttp().request({
        socketPath: this.path,
        path: API + target,
        method: 'POST',
        headers: { connection: 'Upgrade', upgrade: 'tcp', host: 'engine' },
        signal,
      })
      request.once('error', error => reject(this.#lost(error)))
      request.once('upgrade', (_response, socket: Socket, head: Buffer) => {
        socket.on('error', () => {}) // 'close' follows
        if (head.length > 0) socket.unshift(head)
        resolve(socket)
      })
      request.once('response', response => {
        let text = ''
        response.setEncoding('utf8').on('data', (piece: string) => {
          text = (text + piece).slice(0, REFUSAL_CHARACTERS_MAX)
        })
        response.once('close', () => resolve({ refused: answerOf(response.statusCode ?? 0, text).message }))
      })
      request.end()
    })
  }

  close(): void {
    this.#agent.destroy()
  }

  #send(method: string, target: string, options: AskOptions): Promise<IncomingMessage> {
    const { body, archive, headers, signal, timeoutMs } = options
    const payload = archive ?? (body === undefined ? undefined : Buffer.from(JSON.stringify(body)))
    const type = archive === undefined ? 'application/json' : 'application/x-tar'
    return new Promise((resolve, reject) => {
      const request = nodeHttp().request(
        {
          socketPath: this.path,
          agent: this.#agent,
          path: API + target,
          method,
          headers: {
            host: 'engine',
            ...(payload && { 'content-type': type, 'content-length': payload.length }),
            ...headers,
          },
          ...(signal && { signal }),
          ...(timeoutMs !== undefined && { timeout: timeoutMs }),
        },
        resolve,
      )
      request.once('timeout', () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)))
      request.once('error', error => reject(this.#lost(error)))
      request.end(payload)
    })
  }

  #lost(error: unknown): AtelierError {
    if (error instanceof AtelierError) return error
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === 'ABORT_ERR') return engineFailed('the start was given up', error)
    return engineFailed(
      `the engine at ${this.path} does not answer${code ? ` (${code})` : ''}; see that Docker or Podman runs there`,
      error,
    )
  }
}

/** The platform's or the engine's fault, never the function's. */
export function engineFailed(what: string, cause?: unknown): AtelierError {
  return new AtelierError('BACKEND_FAILED', `The container could not be used: ${what}.`, { cause })
}

function answerOf(status: number, text: string): EngineAnswer {
  let json: unknown
  try {
    json = text === '' ? undefined : JSON.parse(text)
  } catch {
    json = undefined
  }
  const said = field(json, 'message') ?? field(json, 'error')
  return { status, json, message: status >= 400 ? (said ?? text).slice(0, 2_000) : '' }
}

function field(value: unknown, name: string): string | undefined {
  const found =
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
  return typeof found === 'string' ? found : undefined
}
