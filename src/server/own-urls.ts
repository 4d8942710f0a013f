import { withoutTail } from '../core/index.ts'

/** Where others reach this server: what the settings say, or what it listens at. */
export class OwnUrls {
  /** Of the router, without a slash at the end; empty until that is known. */
  router: string
  /** Of the API, likewise. */
  api = ''
  readonly scheme: 'http' | 'https'
  readonly #host: string

  constructor(options: {
    readonly scheme: 'http' | 'https'
    readonly host: string
    /** Where the operator says that the router is reached; empty for where it listens. */
    readonly router: string
  }) {
    this.router = withoutTail(options.router, '/')
    this.scheme = options.scheme
    this.#host = options.host
  }

  /** Where the API tells of an asynchronous call. */
  asyncCall(id: string): string {
    return `${this.api}/v1/async-invocations/${id}`
  }

  /** Of a port of this server, seen from this machine. */
  at(port: number): string {
    return urlOf(this.scheme, isAnyHost(this.#host) ? '127.0.0.1' : this.#host, port)
  }
}

export function urlOf(scheme: 'http' | 'https', host: string, port: number): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Whether who listens there listens on all addresses of the machine. */
export function isAnyHost(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

/** The same host as it was asked by, at another port. */
export function atPort(base: string, port: number): string {
  return Object.assign(new URL(base), { port: String(port), pathname: '/' }).href.replace(/\/$/, '')
}
