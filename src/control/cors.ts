import type { Cors } from '../core/index.ts'
import type { Problems } from './validate.ts'

const ITEMS_MAX = 100 // origins, methods or headers
const MAX_AGE_S_MAX = 86_400 // browsers do not keep it longer
const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/

/** What is not given of a trigger's CORS: every simple method, no headers, no credentials, ten minutes. */
export function completeCors(cors: Partial<Cors>): Cors {
  return {
    origins: cors.origins ?? ['*'],
    methods: (cors.methods ?? ['GET', 'HEAD', 'POST']).map(method => method.toUpperCase()),
    headers: cors.headers ?? [],
    exposeHeaders: cors.exposeHeaders ?? [],
    credentials: cors.credentials ?? false,
    maxAgeS: cors.maxAgeS ?? 600,
  }
}

export function checkCors(cors: Cors, problems: Problems): void {
  for (const field of ['origins', 'methods', 'headers', 'exposeHeaders'] as const) {
    if (cors[field].length > ITEMS_MAX) problems.add(`cors.${field}`, `must be at most ${ITEMS_MAX}`)
    const isRight = field === 'origins' ? isOrigin : (text: string): boolean => TOKEN.test(text)
    for (const item of cors[field])
      if (!isRight(item)) problems.add(`cors.${field}`, `${JSON.stringify(item.slice(0, 80))} cannot be one`)
  }
  if (cors.credentials && cors.origins.includes('*'))
    problems.add('cors.credentials', 'cannot be allowed to every origin ("*"): name the origins')
  if (!Number.isInteger(cors.maxAgeS) || cors.maxAgeS < 0 || cors.maxAgeS > MAX_AGE_S_MAX)
    problems.add('cors.maxAgeS', `must be a whole number from 0 to ${MAX_AGE_S_MAX}`)
}

function isOrigin(text: string): boolean {
  return text === '*' || (URL.canParse(text) && new URL(text).origin === text)
}
