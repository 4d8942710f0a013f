import type { HookRequest } from './kind.ts'

/** The value of a field; `undefined` when it is missing, or there twice, so that nobody can say one thing to each reader. */
export function headerOf(headers: readonly string[], name: string): string | undefined {
  let found: string | undefined
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== name) continue
    if (found !== undefined) return undefined
    found = headers[i + 1]
  }
  return found
}

/** Without the fields of these names. */
export function withoutHeaders(headers: readonly string[], names: readonly string[]): string[] {
  return headers.filter((_, i) => !names.includes(headers[i & ~1]!))
}

/** A request that did not come from outside. */
export function hookRequestOf(body: Uint8Array, receivedAt: number): HookRequest {
  return {
    method: 'POST',
    path: '',
    query: '',
    headers: ['content-type', 'application/json'],
    body,
    remoteAddress: '',
    receivedAt,
    signal: new AbortController().signal,
  }
}
