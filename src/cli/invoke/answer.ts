import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { Login } from '../client/login.ts'
import { failureFrom } from '../client/problem.ts'
import type { Context } from '../context.ts'
import { CliFailure, EXIT, usage } from '../failure.ts'
import { pour } from '../output/pour.ts'
import { printable } from '../output/styles.ts'

const HELD_BYTES_MAX = 64 * 1024 * 1024 // for -o json, which must hold the answer as one text

/** Prints what a function answered. Rejects when it was not the function that answered, but the platform that refused. */
export async function showAnswer(
  context: Context,
  answer: IncomingMessage,
  { login, path, include }: { readonly login: Login; readonly path: string; readonly include: boolean },
): Promise<void> {
  const status = answer.statusCode ?? 0
  const id = answer.headers['atelier-invocation-id']
  const said =
    typeof id === 'string' ? `"atelier logs --invocation ${id}" shows what the function said.` : undefined
  const maybeRefused =
    status >= 400 && String(answer.headers['content-type']).startsWith('application/problem+json')
  const held = maybeRefused || context.format !== 'table' ? await collect(answer) : undefined
  if (held && maybeRefused && isOurs(held)) {
    const failure = failureFrom(status, held.toString('utf8'), login, path)
    throw new CliFailure(failure.exitCode, failure.message, {
      details: failure.details,
      path: failure.path,
      // With less than 500 it never ran, and said nothing.
      hint: failure.hint ?? (status >= 500 ? said : undefined),
    })
  }
  if (status >= 400) context.exitCode = EXIT.failed
  if (held && context.format !== 'table') {
    return await context.result(
      { status, invocationId: id, headers: answer.headers, ...bodyFields(held) },
      () => [],
    )
  }
  if (include) {
    context.print(`HTTP ${status}`)
    for (let i = 0; i < answer.rawHeaders.length; i += 2)
      context.print(printable(`${answer.rawHeaders[i]}: ${answer.rawHeaders[i + 1]}`))
    context.print()
  }
  await pour(held ? Readable.from([held]) : answer)
  if (process.stdout.isTTY) process.stdout.write('\n') // so that the prompt begins on a line of its own
  if (status >= 400) context.note(`The function answered ${status}. ${said ?? ''}`.trimEnd())
}

/** Prints the answer of a call that has ended. */
export async function showResult(context: Context, answer: IncomingMessage, id: string): Promise<void> {
  const status = Number(answer.headers['atelier-result-status'])
  if (context.format === 'table') {
    await pour(answer)
    if (process.stdout.isTTY) process.stdout.write('\n')
  } else {
    const fields = bodyFields(await collect(answer))
    await context.result({ status, invocationId: id, headers: answer.headers, ...fields }, () => [])
  }
  if (status < 400) return
  context.exitCode = EXIT.failed
  context.note(`The function answered ${status}.`)
}

/** A body as a text, or as base64 where it is none: a program must get back what the function said. */
function bodyFields(bytes: Buffer): { readonly body: string } | { readonly bodyBase64: string } {
  return isUtf8(bytes) ? { body: bytes.toString('utf8') } : { bodyBase64: bytes.toString('base64') }
}

/** Functions may answer with problem documents of their own: those are printed like any other answer. */
function isOurs(body: Buffer): boolean {
  try {
    const problem = JSON.parse(body.toString('utf8')) as { type?: unknown } | null
    return typeof problem?.type === 'string' && problem.type.startsWith('urn:atelier:problem:')
  } catch {
    return false
  }
}

async function collect(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > HELD_BYTES_MAX)
      throw usage('the answer is too large for -o json', 'Leave out -o and send the body into a file.')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
