import { usage } from '../failure.ts'
import { showAnswer } from '../invoke/answer.ts'
import { bodyFrom, headersFrom } from '../invoke/request.ts'
import type { Options } from '../options.ts'
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
    const method = options.text('method')?.toUpperCase() ?? (body ? 'POST' : 'GET')
    const answer = await client.send(method, `${reference.path}/invoke${pathOf(options)}`, {
      query: { qualifier: reference.qualifier },
      headers: { accept: '*/*', ...body?.headers, ...headersFrom(options) },
      ...(body && { body: body.open, once: body.once }),
      repeatable: false,
      anyStatus: true,
    })
    await showAnswer(context, answer, client.login, options.flag('include'))
  },
}

/** Where the path of the call goes in the API's own path. */
function pathOf(options: Options): string {
  const path = options.text('path')
  if (path === undefined) return ''
  if (!path.startsWith('/')) throw usage(`--path ${JSON.stringify(path)} does not begin with "/"`)
  return path
}
