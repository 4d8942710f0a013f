import type { Cors, HttpTrigger } from '../core/index.ts'

/** The fields that let a page of `origin` read the answer; none when it may not. Always says that `Origin` matters. */
export function corsFields(cors: Cors, origin: string | undefined): string[] {
  const fields: string[] = []
  const allowed = allowedOrigin(cors, origin)
  if (allowed !== '*') fields.push('vary', 'Origin')
  if (allowed === undefined) return fields
  fields.push('access-control-allow-origin', allowed)
  if (cors.credentials && allowed !== '*') fields.push('access-control-allow-credentials', 'true')
  if (cors.exposeHeaders.length > 0)
    fields.push('access-control-expose-headers', cors.exposeHeaders.join(', '))
  return fields
}

/** The answer to a preflight, without a function. For an origin that may not, it allows nothing. */
export function preflightFields(
  trigger: HttpTrigger,
  cors: Cors,
  origin: string,
  requestedHeaders: string | undefined,
): string[] {
  const allowed = allowedOrigin(cors, origin)
  const fields = ['vary', 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers']
  if (allowed === undefined) return fields
  fields.push('access-control-allow-origin', allowed)
  if (cors.credentials && allowed !== '*') fields.push('access-control-allow-credentials', 'true')
  const methods = cors.methods.length > 0 ? cors.methods : trigger.methods
  fields.push('access-control-allow-methods', methods.length > 0 ? methods.join(', ') : ANY_METHOD)
  const headers = cors.headers.includes('*') ? requestedHeaders : cors.headers.join(', ')
  if (headers !== undefined && headers !== '') fields.push('access-control-allow-headers', headers)
  fields.push('access-control-max-age', String(cors.maxAgeS))
  return fields
}

/** Whether a page of `origin` may open a WebSocket here: browsers do not ask first, so the answer is ours. */
export function originMayConnect(cors: Cors | undefined, origin: string | undefined): boolean {
  return cors === undefined || origin === undefined || allowedOrigin(cors, origin) !== undefined
}

const ANY_METHOD = 'GET, HEAD, POST, PUT, PATCH, DELETE'

function allowedOrigin(cors: Cors, origin: string | undefined): string | undefined {
  // Credentials with any origin would open the function to every page in the user's browser, so "*" stays "*".
  if (
    cors.origins.includes('*') &&
    !(cors.credentials && origin !== undefined && cors.origins.includes(origin))
  )
    return '*'
  return origin !== undefined && cors.origins.includes(origin) ? origin : undefined
}
