import type { CallHead, StartSpec } from '../contract.ts'
import { functionName } from '../process-env.ts'

export const START_MS_DEFAULT = 20_000

/** What servers are told about a call. */
export function callFields({ id, deadline }: CallHead): string[] {
  return ['atelier-invocation-id', id, 'atelier-deadline', String(deadline), 'x-call-id', id]
}

export function portOf({ choice, port }: StartSpec, byDefault: number): number {
  return choice.port ?? port ?? byDefault
}

export function notListening(spec: StartSpec, port: number, startMs: number): string {
  return `Function "${functionName(spec)}" does not listen on port ${port} after ${startMs} ms: let it listen on the port that the environment variable PORT names, or deploy it with the port that it uses (contract: port), or with more time (contract: startMs).`
}
