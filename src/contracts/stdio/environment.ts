/** What IronFunctions tells a function about a call. Pure. */
import type { CallHead } from '../contract.ts'

const NAMES_MAX = 256

/** Configuration as IronFunctions names it, beside the names as they are. */
export function configEntries(config: Readonly<Record<string, string>>): Record<string, string> {
  const entries: Record<string, string> = {}
  for (const [name, value] of Object.entries(config)) entries[variableName(name)] = value
  return entries
}

/** METHOD, ROUTE, REQUEST_URL and HEADER_…; several values of a header are joined by a space. */
export function callEntries(
  head: Pick<CallHead, 'method' | 'target' | 'headers' | 'block'>,
): Record<string, string> {
  const headers = new Map<string, string>()
  const add = (name: string, value: string) => {
    const variable = `HEADER_${variableName(name)}`
    const before = headers.get(variable)
    if (before !== undefined) headers.set(variable, `${before} ${value}`)
    else if (headers.size < NAMES_MAX) headers.set(variable, value)
  }
  for (let i = 0; i < head.headers.length; i += 2) add(head.headers[i]!, head.headers[i + 1]!)
  for (const line of (head.block?.text ?? '').split('\n')) {
    const colon = line.indexOf(': ')
    if (colon > 0) add(line.slice(0, colon), line.slice(colon + 2))
  }
  const [path = '/'] = head.target.split('?', 1)
  const scheme = headers.get('HEADER_X_FORWARDED_PROTO') ?? 'http'
  const host = headers.get('HEADER_HOST') ?? 'localhost'
  return {
    ...Object.fromEntries(headers),
    METHOD: head.method,
    ROUTE: path,
    REQUEST_URL: `${scheme}://${host}${head.target}`,
  }
}

/** The payload of a call: its body; for a GET without one, its query parameter `payload`. */
export function payloadOf(
  { method, target }: Pick<CallHead, 'method' | 'target'>,
  body: Uint8Array,
): Uint8Array {
  if (method !== 'GET' || body.length > 0) return body
  const query = target.indexOf('?')
  return query < 0 ? body : Buffer.from(new URLSearchParams(target.slice(query + 1)).get('payload') ?? '')
}

function variableName(name: string): string {
  return name.toUpperCase().replaceAll(/[^A-Z0-9_]/g, '_')
}
