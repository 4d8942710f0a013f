import type { TableVersion } from '../core/index.ts'
import type { CallContext } from './context.ts'
import { noTokens } from './failures.ts'

const NAMES: readonly string[] = ['atelier-auth-token', 'atelier-auth-url', 'atelier-project-id']

/** `headers` with the function's token; what somebody else says of one is taken away. */
export function withToken(headers: string[], fields: readonly string[] | undefined): string[] {
  if (!fields) return headers
  const result: string[] = []
  for (let i = 0; i + 1 < headers.length; i += 2)
    if (!NAMES.includes(headers[i]!)) result.push(headers[i]!, headers[i + 1]!)
  result.push(...fields)
  return result
}

/** The token that the version's function wants, where it is there at once. It may wait for a slot as long as it may run. */
export function readyToken(
  { token, projectId, limits }: TableVersion,
  { tokens, clock }: CallContext,
): readonly string[] | undefined {
  return token && tokens?.ready(token, projectId, clock.now() + 2 * limits.timeoutMs)
}

/** The same, asked for. Rejects as `CallTokens.get` does, and when this server has no tokens for functions. */
export async function takeToken(
  { token, projectId }: TableVersion,
  name: string,
  { tokens }: CallContext,
): Promise<readonly string[] | undefined> {
  if (!token) return undefined
  if (!tokens) throw noTokens(name)
  return tokens.get(token, projectId)
}
