/** What an answer says to the next hop only; never passed on. (RFC 9110, 7.6.1) */
export const HOP_BY_HOP: readonly string[] = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

/** The same of any message: a request may prove itself to a proxy. */
const NEVER_PASSED = [...HOP_BY_HOP, 'proxy-authorization']

/** What proves the caller's identity to us must not reach a function, whose author may be somebody else. */
const OURS = ['authorization', 'atelier-project', 'cookie', 'idempotency-key', 'expect']

/** Tokens of a cloud's users, and of its services that speak for them: no function's, whatever else of the request is. */
const TOKENS = ['x-auth-token', 'x-service-token']

/**
 * What only the platform says to a function: who really asked, and by which route. Also with `_`, since CGI and WSGI make
 * both the same variable; and `Proxy`, which becomes their HTTP_PROXY.
 */
const PLATFORMS = /^(?:(?:x-)?atelier-.*|x-forwarded-.*|forwarded|x-real-ip|proxy)$/

/**
 * The API's origin also serves the console: a function's answer must not set cookies or policies for it. On the router,
 * where functions have their own origin, all of these pass.
 */
const NOT_ON_THIS_ORIGIN = [
  'set-cookie',
  'clear-site-data',
  'strict-transport-security',
  'service-worker-allowed',
  'content-security-policy',
  'x-content-type-options',
  'x-frame-options',
  'referrer-policy',
  // These speak for the origin beyond the answer that carries them.
  'alt-svc',
  'nel',
  'report-to',
  'reporting-endpoints',
  'accept-ch',
  'atelier-invocation-id',
  'atelier-request-id',
]

/** The caller's headers for the function: name, value, …; lower-case names. `withheld` are those that are for us, beside tokens. */
export function requestHeaders(raw: readonly string[], withheld: readonly string[] = OURS): string[] {
  const passed = passing(raw, [...NEVER_PASSED, ...TOKENS, ...withheld])
  return passed.filter((_, i) => !PLATFORMS.test(passed[i & ~1]!.replaceAll('_', '-')))
}

/** The function's headers for the caller; several of one name stay several. */
export function answerHeaders(raw: readonly string[]): Map<string, string | string[]> {
  const headers = new Map<string, string | string[]>()
  const passed = passing(raw, [...NEVER_PASSED, ...NOT_ON_THIS_ORIGIN])
  for (let i = 0; i + 1 < passed.length; i += 2) {
    const name = passed[i]!
    const before = headers.get(name)
    const value = passed[i + 1]!
    headers.set(name, before === undefined ? value : [before, value].flat())
  }
  return headers
}

function passing(raw: readonly string[], withheld: readonly string[]): string[] {
  const dropped = new Set(withheld)
  for (let i = 0; i + 1 < raw.length; i += 2)
    if (raw[i]!.toLowerCase() === 'connection')
      for (const name of raw[i + 1]!.split(',')) dropped.add(name.trim().toLowerCase())
  const passed: string[] = []
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase()
    if (!dropped.has(name)) passed.push(name, raw[i + 1]!)
  }
  return passed
}
