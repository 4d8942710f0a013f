import { createReadStream, fstatSync } from 'node:fs'
import { access, constants } from 'node:fs/promises'
import type { RequestOptions } from '../client/client.ts'
import { usage } from '../failure.ts'
import type { Options } from '../options.ts'

/** What is sent to the function. */
export interface Body {
  readonly headers: Readonly<Record<string, string>>
  /** A pipe can be read only once. */
  readonly once: boolean
  readonly open: NonNullable<RequestOptions['body']>
}

/** The body that `--data` or stdin gives; `undefined` for none. */
export async function bodyFrom(options: Options): Promise<Body | undefined> {
  const data = options.text('data')
  if (data === '-' || data === '@-' || (data === undefined && stdinHasBody())) {
    return { headers: { 'content-type': 'application/octet-stream' }, once: true, open: () => process.stdin }
  }
  if (data === undefined) return undefined
  if (data.startsWith('@')) {
    const path = data.slice(1)
    await access(path, constants.R_OK) // fails here, and with the file's name
    return {
      headers: { 'content-type': path.endsWith('.json') ? 'application/json' : 'application/octet-stream' },
      once: false,
      open: () => createReadStream(path),
    }
  }
  const bytes = Buffer.from(data)
  return {
    headers: {
      'content-type': isJson(data) ? 'application/json' : 'text/plain; charset=utf-8',
      'content-length': String(bytes.length),
    },
    once: false,
    open: () => bytes,
  }
}

/**
 * Whether the shell has put a pipe or a file there. Not whenever it is no terminal: programs that start this one often leave
 * an open socket there, which never ends.
 */
function stdinHasBody(): boolean {
  try {
    const stats = fstatSync(0)
    return stats.isFIFO() || (stats.isFile() && stats.size > 0)
  } catch {
    return false // closed
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** The headers of `--header`, by lower-case name. */
export function headersFrom(options: Options): Record<string, string[]> {
  const headers: Record<string, string[]> = {}
  for (const header of options.list('header')) {
    const match = /^([!#$%&'*+.^_`|~\w-]+):\s*(.*)$/.exec(header)
    if (!match) throw usage(`--header ${JSON.stringify(header)} is not "Name: value"`)
    const name = match[1]!.toLowerCase()
    // These carry the login to the API, and end there: a function never sees them.
    if (name === 'authorization' || name === 'x-auth-token')
      throw usage(
        `--header ${name} is for the API itself`,
        'Call the URL of the function with curl to send your own.',
      )
    headers[name] = [...(headers[name] ?? []), match[2]!]
  }
  return headers
}
