import assert from 'node:assert/strict'
import type { Place } from './place.ts'
import type { Header, Reply } from './wire.ts'

/** One command of a client, as its user types it. Steps of a script run in their order, each on what those before it made. */
export interface Step {
  /** The name of its test, and what docs/compat.md says of it. */
  readonly command: string
  /** What it asks the dialect for, as the dialect's routes are named. */
  readonly operations: readonly string[]
  run(at: Place): Promise<void>
}

export interface Script {
  readonly dialect: string
  readonly client: string
  /** Why it cannot run here. */
  readonly skip?: string | false
  /** Gets its client, before the steps. Resolves with why there is none, when there is none. */
  prepare?(at: Place): Promise<string | undefined>
  readonly steps: readonly Step[]
}

/** Fails unless a reply has this status and, where it is given, exactly this body: JSON by its value, a text byte for byte. */
export function told(reply: Reply, status: number, body?: unknown): void {
  assert.equal(reply.status, status, reply.text)
  if (typeof body === 'string') assert.equal(reply.text, body)
  else if (body !== undefined) assert.deepEqual(reply.json, body)
}

/** How Go's HTTP client, which the command lines of IronFunctions and Fn are made with, speaks to a JSON API. */
export function goHeaders(body: string | undefined): readonly Header[] {
  return [
    ['User-Agent', 'Go-http-client/1.1'],
    ['Accept', 'application/json'],
    ...(body === undefined ? [] : ([['Content-Type', 'application/json']] as const)),
    ['Accept-Encoding', 'gzip'],
  ]
}
