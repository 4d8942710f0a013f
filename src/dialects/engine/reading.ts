/** Fields of an app or a route in a request. What has another type is refused as a decoder of IronFunctions would. */
import { EngineError, type RouteChange } from './engine.ts'

/** What IronFunctions says of all that it cannot decode. */
export function invalid(): EngineError {
  return new EngineError(400, 'Invalid JSON')
}

/** Whether it is a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `undefined` where it is absent or null. Throws `invalid` for what is no text. */
export function textIn(given: Readonly<Record<string, unknown>>, field: string): string | undefined {
  const value = given[field]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw invalid()
  return value
}

/** An object of texts. */
export function configIn(given: Readonly<Record<string, unknown>>): Record<string, string> | undefined {
  const { config } = given
  if (config === undefined || config === null) return undefined
  if (!isObject(config)) throw invalid()
  for (const value of Object.values(config)) if (typeof value !== 'string') throw invalid()
  return config as Record<string, string>
}

/** A route's fields, without its path; those that are not known are left out. */
export function routeIn(given: Readonly<Record<string, unknown>>): RouteChange {
  const change: Record<string, unknown> = {}
  for (const field of ['image', 'type', 'format', 'jwt_key'] as const) change[field] = textIn(given, field)
  for (const field of ['memory', 'max_concurrency', 'timeout', 'idle_timeout'] as const) {
    const value = given[field]
    if (value === undefined || value === null) continue
    if (!Number.isSafeInteger(value) || (field === 'memory' && Number(value) < 0)) throw invalid()
    change[field] = value
  }
  change['config'] = configIn(given)
  change['headers'] = headersIn(given)
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined))
}

/** Names with lists of values. What could break an answer's head is refused. */
function headersIn({ headers }: Readonly<Record<string, unknown>>): Record<string, string[]> | undefined {
  if (headers === undefined || headers === null) return undefined
  if (!isObject(headers)) throw invalid()
  for (const [name, values] of Object.entries(headers)) {
    if (!Array.isArray(values) || !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) throw invalid()
    for (const value of values)
      if (typeof value !== 'string' || /[^\t\x20-\x7e\x80-\xff]/.test(value)) throw invalid()
  }
  return headers as Record<string, string[]>
}
