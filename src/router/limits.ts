import { BODY_BYTES_BUFFERED_MAX } from '../core/index.ts'

/** What one connection, and all of them, may use. Each is a promise to the other callers. */
export interface RouterLimits {
  /** Open connections; more are closed on arrival. */
  readonly connectionsMax: number
  /** Request line and header fields together. */
  readonly headBytesMax: number
  readonly headersMax: number
  /** The request target alone. */
  readonly targetBytesMax: number
  /** Time for a request's head to arrive. */
  readonly headTimeoutMs: number
  /** Time without a byte of a body that is being read. */
  readonly bodyStallMs: number
  /** Time in which a client takes not a byte of what waits for it. */
  readonly writeStallMs: number
  /** Time a connection is kept between two requests. */
  readonly keepAliveMs: number
  /** Largest request body; streamed, so there is no need for a limit of our own. */
  readonly bodyBytesMax: number
  /** Bodies of a known length up to this are gathered before the function is called: a slow client holds no slot. */
  readonly gatherBytesMax: number
  /** Body of one request at a trigger's secret URL, which is kept whole; and of all that are under way. */
  readonly hookBodyBytesMax: number
  readonly hookBodiesBytesMax: number
  /** Time for such a body to arrive. */
  readonly hookBodyMs: number
  /** What is read and dropped of a body nobody wants, so that the client can read the answer before the close. */
  readonly lingerBytesMax: number
  readonly lingerMs: number
  /** One message; not above 1 MiB, which a frame of the frames contract holds: it carries messages whole. */
  readonly messageBytesMax: number
  /** A WebSocket client that misses two of these is gone. */
  readonly pingMs: number
}

export const ROUTER_LIMITS_DEFAULT: RouterLimits = {
  connectionsMax: 10_000,
  headBytesMax: 32_768,
  headersMax: 128,
  targetBytesMax: 8_192,
  headTimeoutMs: 15_000,
  bodyStallMs: 30_000,
  writeStallMs: 30_000,
  keepAliveMs: 65_000, // longer than the 60 s of common load balancers, so that the near side closes first
  bodyBytesMax: Number.MAX_SAFE_INTEGER,
  gatherBytesMax: 65_536,
  hookBodyBytesMax: BODY_BYTES_BUFFERED_MAX,
  hookBodiesBytesMax: 134_217_728,
  hookBodyMs: 60_000,
  lingerBytesMax: 1_048_576,
  lingerMs: 2_000,
  messageBytesMax: 262_144,
  pingMs: 30_000,
}
