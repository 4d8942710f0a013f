import { request } from 'node:http'

export type Header = readonly [name: string, value: string]

export interface Sent {
  readonly method: string
  readonly path: string
  readonly headers: readonly Header[]
  readonly body?: string | Uint8Array | undefined
}

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  /** The body read as JSON; throws when it is none. */
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly json: any
}

/** One request with these headers, in their order and spelling, and with none but `Host` and the body's length beside them. */
export function send(base: string, { method, path, headers, body }: Sent): Promise<Reply> {
  const { hostname, port, host } = new URL(base)
  const length = body === undefined ? [] : ['Content-Length', String(Buffer.byteLength(body))]
  const raw = ['Host', host, ...headers.flat(), ...length]
  return new Promise((resolve, reject) => {
    const asking = request({ hostname, port, method, path, headers: raw, setHost: false }, async answer => {
      try {
        const pieces: Buffer[] = []
        for await (const piece of answer) pieces.push(piece as Buffer)
        const text = Buffer.concat(pieces).toString()
        const { statusCode: status = 0, headers: said } = answer
        resolve({
          status,
          headers: said,
          text,
          get json() {
            return JSON.parse(text)
          },
        })
      } catch (error) {
        reject(error)
      }
    })
    asking.on('error', reject).end(body)
  })
}
