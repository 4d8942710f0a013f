import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream'
import { nodeHttp } from '../../core/index.ts'
import { CliFailure, EXIT } from '../failure.ts'

export interface HttpRequest {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly body: Readable | Uint8Array | undefined
  readonly signal: AbortSignal
}

const LATE_ANSWER_MS = 250 // a server that refuses in mid-upload closes the connection just after its answer
const CONNECT_TIMEOUT_MS = 10_000

/**
 * HTTP for a short-lived program: `node:http` is part of Node's snapshot, while `fetch` costs each start 20 ms more. HTTPS
 * loads when a URL asks for it.
 */
export class Http {
  readonly #agents: Agent[] = []
  #plain: Agent | undefined
  #secure: Agent | undefined

  /** The answer's head; its body is to be read. Rejects with `unreachable` when there is none. */
  async send(request: HttpRequest): Promise<IncomingMessage> {
    const options: RequestOptions = {
      method: request.method,
      headers: { ...request.headers },
      signal: request.signal,
    }
    const open = await this.#opener(request.url, options)
    return await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = open()
      let late: NodeJS.Timeout | undefined
      const connecting = setTimeout(() => outgoing.destroy(new Error('no connection')), CONNECT_TIMEOUT_MS)
      outgoing.once('socket', socket => {
        if (!socket.connecting) clearTimeout(connecting)
        else socket.once('connect', () => clearTimeout(connecting))
      })
      outgoing.once('response', answer => {
        clearTimeout(connecting)
        clearTimeout(late)
        resolve(answer)
      })
      outgoing.on('error', cause => {
        clearTimeout(connecting)
        if (request.signal.aborted) reject(request.signal.reason)
        else
          late ??= setTimeout(
            () => reject(unreachable(request.url, cause)),
            request.body ? LATE_ANSWER_MS : 0,
          )
      })
      if (request.body instanceof Uint8Array || request.body === undefined) outgoing.end(request.body)
      else {
        pipeline(request.body, outgoing, cause => {
          // A source that fails (an unreadable file) is the caller's to explain; a closed connection is 'error' above.
          if (cause && request.body && 'errored' in request.body && request.body.errored)
            reject(request.body.errored)
        })
      }
    })
  }

  close(): void {
    for (const agent of this.#agents) agent.destroy()
  }

  async #opener(url: URL, options: RequestOptions): Promise<() => ClientRequest> {
    if (url.protocol === 'https:') {
      const https = await import('node:https')
      this.#secure ??= this.#keep(new https.Agent({ keepAlive: true }))
      return () => https.request(url, { ...options, agent: this.#secure })
    }
    this.#plain ??= this.#keep(new (nodeHttp().Agent)({ keepAlive: true }))
    return () => nodeHttp().request(url, { ...options, agent: this.#plain })
  }

  #keep(agent: Agent): Agent {
    this.#agents.push(agent)
    return agent
  }
}

const EXPLANATIONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the name could not be looked up',
  ECONNRESET: 'the connection was broken off',
  EPIPE: 'the connection was broken off',
  ETIMEDOUT: 'it did not answer',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
  EPROTO: 'it does not speak TLS',
  HPE_INVALID_CONSTANT: 'it does not speak HTTP',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed (NODE_EXTRA_CA_CERTS=file trusts it)',
  SELF_SIGNED_CERT_IN_CHAIN:
    'its certificate authority is not known here (NODE_EXTRA_CA_CERTS=file trusts it)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'its certificate authority is not known here (NODE_EXTRA_CA_CERTS=file trusts it)',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
}

/** What the URL should probably have begun with. */
const OTHER_SCHEME: Readonly<Record<string, string>> = {
  EPROTO: 'http://',
  HPE_INVALID_CONSTANT: 'https://',
}

function unreachable(url: URL, cause: Error): CliFailure {
  const code = 'code' in cause ? String(cause.code) : ''
  const why = EXPLANATIONS[code] ?? (cause.message || code)
  const here = ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname)
  return new CliFailure(EXIT.unreachable, `cannot reach the server at ${url.origin}: ${why}`, {
    hint: OTHER_SCHEME[code]
      ? `Is the URL ${OTHER_SCHEME[code]}${url.host}?`
      : here
        ? 'Is it running? Start it with "npm start" (or "atelier server"); "atelier doctor" looks further.'
        : 'Check the URL and the network; "atelier doctor" looks further.',
    cause,
  })
}
