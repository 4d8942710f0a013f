import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import type { Client } from '../client/client.ts'
import type { Context } from '../context.ts'
import { CliFailure, EXIT, usage } from '../failure.ts'
import { showAnswer } from '../invoke/answer.ts'
import { failureText, LATER_OPTIONS, laterHeaders, waitForEnd, writeResult } from '../invoke/later.ts'
import { bodyFrom, headersFrom } from '../invoke/request.ts'
import type { Options } from '../options.ts'
import { parseReference } from '../reference.ts'
import type { CommandSpec } from '../spec.ts'
import { APP_OPTION } from './common.ts'

const METHOD = /^[!#$%&'*+.^_`|~0-9A-Z-]+$/ // what HTTP calls a token

export const invoke: CommandSpec = {
  name: 'invoke',
  aliases: ['call'],
  summary: 'Call a function',
  details: `Calls through the API, so private functions work too, and prints what the function answers. The body comes from --data, or from a
pipe or file on stdin. Ends with 1 when the function answers with a status of 400 or more. With -o json or yaml: status, headers and body,
which is "bodyBase64" where it is no text.`,
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
    ...LATER_OPTIONS,
  ],
  examples: [
    ['atelier invoke hello', 'a plain call'],
    ['atelier invoke hello --path "/?name=Ada"', 'with a query'],
    [`atelier invoke shop/report -d '{"table":"orders"}'`, 'with JSON'],
    ['atelier invoke shop/thumbnail:beta -d @photo.jpg > thumb.jpg', 'a file to one alias'],
    ['cat data.csv | atelier invoke report -H "content-type: text/csv"', 'from a pipe'],
    [
      'atelier invoke api --path "/items?limit=3" -X DELETE -i',
      'a path, a method, and the headers of the answer',
    ],
    ['atelier invoke report -d @data.csv --async', 'for later: prints an id at once'],
    ['atelier invoke report -d @data.csv --async --wait', 'durable, and wait for the answer'],
    ['atelier invoke remind --async --delay 2h --attempts 5', 'in two hours, tried five times'],
  ],
  async run({ context, args, options }) {
    const reference = parseReference(args[0]!, options.text('app'))
    const body = await bodyFrom(options)
    const client = await context.client()
    const method = options.text('method')?.toUpperCase() ?? (body ? 'POST' : 'GET')
    if (!METHOD.test(method)) throw usage(`--method ${JSON.stringify(method)} is not an HTTP method`)
    const path = `${reference.path}/invoke${pathOf(options)}`
    const answer = await client.send(method, path, {
      query: { qualifier: reference.qualifier },
      headers: { accept: '*/*', ...body?.headers, ...headersFrom(options), ...laterHeaders(options) },
      ...(body && { body: body.open, once: body.once }),
      repeatable: false,
      anyStatus: true,
    })
    if (answer.statusCode === 202 && options.flag('async'))
      return await later(context, client, options.flag('wait'), answer)
    await showAnswer(context, answer, { login: client.login, path, include: options.flag('include') })
  },
}

/** The call is accepted: its id, or its answer when that is waited for. */
async function later(
  context: Context,
  client: Client,
  wait: boolean,
  answer: IncomingMessage,
): Promise<void> {
  const accepted = JSON.parse(await text(answer)) as { id: string; duplicate: boolean }
  const path = `/v1/async-invocations/${accepted.id}`
  if (!wait) {
    await context.result(accepted, () => [accepted.id])
    const said = accepted.duplicate ? 'It was accepted before.' : 'Accepted.'
    context.note(context.noteStyles.dim(`${said} Its answer: atelier async result ${accepted.id} --wait`))
    return
  }
  const end = await waitForEnd(client, path, Number.POSITIVE_INFINITY)
  if (end.state === 'succeeded' || end.httpStatus > 0) return await writeResult(context, client, accepted.id)
  throw new CliFailure(EXIT.failed, `the call has ${end.state}`, {
    details: [failureText(end) ?? ''].filter(line => line !== ''),
    hint: `"atelier logs --invocation ${end.id}" shows what the function said.`,
  })
}

/** Where the path of the call goes in the API's own path. */
function pathOf(options: Options): string {
  const path = options.text('path')
  if (path === undefined) return ''
  if (!path.startsWith('/')) throw usage(`--path ${JSON.stringify(path)} does not begin with "/"`)
  return path
}
