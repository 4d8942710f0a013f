import type { Socket } from 'node:net'
import type { Clock } from '../../core/index.ts'
import { HttpConnection } from './connection.ts'

export interface Asked {
  readonly method: string
  readonly path: string
  readonly contentType?: string
  readonly body?: string
  readonly timeoutMs: number
}

export interface Answer {
  readonly status: number
  /** The beginning of what was said, as text. */
  readonly text: string
}

const TEXT_BYTES_MAX = 16 * 1024

/** One request of the platform's own over a connection of its own. Resolves with `undefined` when no answer comes in time. */
export function ask(socket: Socket, asked: Asked, clock: Clock): Promise<Answer | undefined> {
  const { method, path, body, contentType } = asked
  return new Promise(resolve => {
    const finish = (answer: Answer | undefined) => {
      cancel()
      connection.close()
      resolve(answer)
    }
    const cancel = clock.after(Math.max(1, asked.timeoutMs), () => finish(undefined))
    const connection = new HttpConnection(socket, () => {})
    const parts: Buffer[] = []
    let bytes = 0
    let status = 0
    const type = contentType === undefined ? '' : `content-type: ${contentType}\r\n`
    const payload = body === undefined ? undefined : Buffer.from(body)
    const length = payload === undefined ? '' : `content-length: ${payload.length}\r\n`
    connection.begin(
      {
        onWritable() {},
        onHead(head) {
          status = head.status
        },
        onData(chunk) {
          if (bytes < TEXT_BYTES_MAX) parts.push(chunk)
          bytes += chunk.length
        },
        onEnd() {
          finish({ status, text: Buffer.concat(parts).toString('utf8', 0, TEXT_BYTES_MAX) })
        },
        onProblem: () => finish(undefined),
      },
      `${method} ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${type}${length}\r\n`,
      payload,
      method === 'HEAD',
    )
  })
}
