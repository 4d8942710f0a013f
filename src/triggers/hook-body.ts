import { headerOf } from './hook-headers.ts'
import type { HookRequest } from './kind.ts'

/**
 * What a body says, as a value: JSON; a form's fields; of a form with the one field `payload`, as GitHub and Slack send
 * it, the JSON in that. `undefined` when it is none of these, or cannot be read.
 */
export function bodyValue({ headers, body }: Pick<HookRequest, 'headers' | 'body'>): unknown {
  if (body.length === 0) return undefined
  const type = headerOf(headers, 'content-type')?.split(';', 1)[0]?.trim().toLowerCase()
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString()
  if (type !== 'application/x-www-form-urlencoded') return parsed(text)
  const fields = [...new URLSearchParams(text)].slice(0, FORM_FIELDS_MAX)
  const [first] = fields
  return fields.length === 1 && first![0] === 'payload' ? parsed(first![1]) : Object.fromEntries(fields)
}

/** The value at a dotted path, `undefined` when there is none. A number steps into an array. */
export function valueAt(value: unknown, path: string): unknown {
  let found = value
  for (const step of path.split('.')) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return undefined
    found = (found as Record<string, unknown>)[step]
  }
  return found
}

/** The same, when it is a text that says something. */
export function textAt(value: unknown, path: string): string | undefined {
  const found = valueAt(value, path)
  return typeof found === 'string' && found !== '' ? found : undefined
}

const FORM_FIELDS_MAX = 1_000

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
