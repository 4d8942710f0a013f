import { createReadStream, fstatSync } from 'node:fs'
import { access, constants } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { RequestOptions } from '../client/client.ts'
import type { Login } from '../client/login.ts'
import { failureFrom } from '../client/problem.ts'
import type { Context } from '../context.ts'
import { EXIT, usage } from '../failure.ts'
import type { Options } from '../options.ts'
import { printable } from '../output/styles.ts'
import { parseReference } from '../reference.ts'
import type { CommandSpec } from '../spec.ts'
import { APP_OPTION } from './common.ts'

export const invoke: CommandSpec = {
  name: 'invoke',
  aliases: ['call'],
  summary: 'Call a function',
  details: `Calls through the API, so private functions work too, and prints what the function answers. The body comes from --data, or from a
pipe or file on stdin. Ends with 1 when the function answers with a status of 400 or more.`,
  args: [
    {
      syntax: '<function>',
      help: 'NAME, APP/NAME, APP/NAME:ALIAS or APP/NAME:VERSION',
      completes: 'function',
    },
  ],
  options: [
    APP_OPTION,
    { flags: '-d, --data <data>', help: 'The body: text, @FILE, or "-" for stdin' },
    { flags: '-X, --method <method>', help: 'HTTP method (default: POST with a body, GET without)' },
    { flags: '-H, --header <header>', help: '"Name: value"; may be repeated', repeats: true },
    { flags: '--path <path>', help: 'Path and query that the function sees (default: /)' },
    { flags: '-i, --include', help: 'Print status and headers before the body' },
  ],
  examples: [
    ['atelier invoke hello', 'a plain call'],
    [`atelier invoke hello -d '{"name":"Ada"}'`, 'with JSON'],
    ['atelier invoke shop/thumbnail:beta -d @photo.jpg > thumb.jpg', 'a file to one alias'],
    ['cat data.csv | atelier invoke report -H "content-type: text/csv"', 'from a pipe'],
    [
      'atelier invoke api --path "/items?limit=3" -X DELETE -i',
      'a path, a method, and the headers of the answer',
    ],
  ],
  async run({ context, args, options }) {
    const reference = parseReference(args[0]!, options.text('app'))
    const body = await bodyFrom(options)
    const client = await context.client()
    const answer = await client.send(
      options.text('method')?.toUpperCase() ?? (body ? 'POST' : 'GET'),
      `${reference.path}/invoke${pathOf(options)}`,
      {
        query: reference.qualifier === undefined ? {} : { qualifier: reference.qualifier },
        headers: { ...body?.headers, ...headersFrom(options) },
        ...(body && { body: body.open, once: body.once }),
        anyStatus: true,
      },
    )
    await show(context, answer, { include: options.flag('include'), login: client.login })
  },
}

/** Where the path of the call goes in the API's own path. */
function pathOf(options: Options): string {
  const path = options.text('path')
  if (path === undefined) return ''
  if (!path.startsWith('/')) throw usage(`--path ${JSON.stringify(path)} does not begin with "/"`)
  return path
}

interface Body {
  readonly headers: Readonly<Record<string, string>>
  /** A pipe can be read only once. */
  readonly once: boolean
  readonly open: NonNullable<RequestOptions['body']>
}

async function bodyFrom(options: Options): Promise<Body | undefined> {
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

function headersFrom(options: Options): Record<string, string[]> {
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

const SHOWN_BODY_BYTES_MAX = 64 * 1024 * 1024 // for -o json, which must hold the answer as one text

async function show(
  context: Context,
  answer: IncomingMessage,
  { include, login }: { include: boolean; login: Login },
): Promise<void> {
  const status = answer.statusCode ?? 0
  const invocation = String(answer.headers['atelier-invocation-id'] ?? '')
  const isProblem = String(answer.headers['content-type']).startsWith('application/problem+json')
  if (isProblem && status >= 400) throw failureFrom(status, (await collect(answer)).toString('utf8'), login)
  if (status >= 400) context.exitCode = EXIT.failed
  if (context.format !== 'table') {
    const body = (await collect(answer)).toString('utf8')
    return await context.result({ status, invocationId: invocation, headers: answer.headers, body }, () => [])
  }
  if (include) {
    context.print(`HTTP ${status}`)
    for (let i = 0; i < answer.rawHeaders.length; i += 2)
      context.print(printable(`${answer.rawHeaders[i]}: ${answer.rawHeaders[i + 1]}`))
    context.print()
  }
  await pipeline(answer, process.stdout, { end: false })
  if (process.stdout.isTTY && answer.readableDidRead) process.stdout.write('\n') // so that the prompt begins on a line of its own
  if (status >= 400)
    context.note(
      `The function answered ${status}.${invocation ? ` "atelier logs --invocation ${invocation}" shows what it said.` : ''}`,
    )
}

async function collect(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > SHOWN_BODY_BYTES_MAX)
      throw usage('the answer is too large for -o json', 'Leave out -o and send the body into a file.')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
