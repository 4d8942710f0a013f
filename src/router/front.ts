import type { Server as NetServer, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { AtelierError, Clock } from '../core/index.ts'
import type { CameFrom, RequestFields } from './fields.ts'
import type { RouterLimits } from './limits.ts'

/**
 * The part that speaks HTTP/1.1 to clients, exchangeable: it frames, times out, refuses what is malformed, and knows
 * nothing of functions. `test/suites/front.ts` says what every front must do.
 */
export interface Front {
  /** Rejects when the port cannot be had. Port 0 takes a free one; `fd` is a socket that listens already. */
  listen(port: number, host: string, fd?: number): Promise<{ readonly port: number; readonly host: string }>
  /** What listens, for handing its socket on. */
  readonly listener: NetServer
  /**
   * Stops listening; lets what runs finish, each answer with `connection: close`; then ends what is left. A connection
   * without a request may still send one for a moment: closing under it would fail a request that is on its way.
   */
  drain(graceMs: number): Promise<void>
  /** Ends everything now. */
  close(): Promise<void>
  readonly connectionsOpen: number
}

export type CreateFront = (options: FrontOptions) => Front

export interface FrontOptions {
  readonly limits: RouterLimits
  readonly clock: Clock
  readonly handler: FrontHandler
  /** Makes the encrypted connection of each plain one. Without it: none is encrypted. */
  readonly encrypt?: Encrypt | undefined
}

/** The server's side of TLS on a connection that was just accepted: its handshake is under way when this returns. */
export type Encrypt = (socket: Socket) => Socket

/** What a front tells the router. */
export interface FrontHandler {
  /** A head is complete and well formed. */
  onExchange(exchange: Exchange): void
  /** A WebSocket handshake; the socket is the router's now. */
  onUpgrade(upgrade: Upgrade): void
  /** A request was refused by the front itself; for the counters. */
  onRefused(error: AtelierError): void
}

/** The head of a request as it came. The target holds printable ASCII only; header values are Latin-1. */
export interface RequestHead extends CameFrom {
  readonly method: string
  readonly target: string
  /** Name, value, …: names as the client spelled them, duplicates kept, in order. */
  readonly rawHeaders: readonly string[]
  /** Where the router keeps what it has read of `rawHeaders`, when the next request may bring the same ones. */
  readonly memo?: FieldsMemo | undefined
}

export interface FieldsMemo {
  fields: RequestFields | undefined
}

/** One request and its answer. */
export interface Exchange extends RequestHead {
  /** Bytes of body to come, `undefined` when only its end will tell. */
  readonly bodyLength: number | undefined
  /** Set at once by the router: who hears of body, room and abort. */
  receiver: ExchangeReceiver | undefined
  /** Starts the flow of the body (and says 100 Continue to a client that waits for it). */
  read(): void
  pause(): void
  resume(): void
  /** A whole answer at once. `body` is what is sent; `length` is what the head says, see `head`. */
  answer(status: number, headers: string[], length: number, body: Uint8Array | undefined): void
  /** The head of an answer whose body follows. `headers` hold no framing; `length` is LENGTH_… or the body's. */
  head(status: number, headers: string[], length: number): void
  /** False: the client is slow; `onWritable` follows. */
  write(chunk: Uint8Array): boolean
  end(): void
  /** Breaks the connection off so that no client takes what it has for the whole. */
  reset(): void
}

/** The end of the body is told by the framing of the connection. */
export const LENGTH_UNKNOWN = -1
/** There is no body and the head says nothing of its length (204, 304, some answers to HEAD). */
export const LENGTH_NONE = -2

export interface ExchangeReceiver {
  onBody(chunk: Uint8Array): void
  onBodyEnd(): void
  /** Room for more of the answer. */
  onWritable(): void
  /** The client left, or its body broke off. Nothing follows. */
  onAbort(): void
}

export interface Upgrade extends RequestHead {
  readonly socket: Duplex
  /** Bytes that came after the head. */
  readonly rest: Buffer
}
