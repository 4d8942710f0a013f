import type { IncomingMessage } from 'node:http'
import { readAnswer } from './answer.ts'
import type { LambdaCall } from './call.ts'
import { PreludeReader } from './prelude.ts'

/** What a runtime may answer at once; one that streams may say more. */
export const ANSWER_BYTES_MAX = 6 * 1024 * 1024
export const ERROR_BYTES_MAX = 256 * 1024
const HTTP_ANSWER_TYPE = 'application/vnd.awslambda.http-integration-response'

/** How the runtime's request ended: `undefined`, and all is well; else the status and the error it is to be told. */
export type Refusal = { readonly status: number; readonly type: string; readonly message: string } | undefined

/** What a function's error says, as runtimes report it. */
export interface ReportedError {
  readonly message: string
  readonly text: string
}

/** Passes the answer of a runtime on to the call. Resolves when all of it has come. */
export function passAnswer(request: IncomingMessage, call: LambdaCall, isRaw: boolean): Promise<Refusal> {
  const mode = request.headers['lambda-runtime-function-response-mode']
  return mode === 'streaming' ? passStream(request, call, isRaw) : passWhole(request, call, isRaw)
}

async function passWhole(request: IncomingMessage, call: LambdaCall, isRaw: boolean): Promise<Refusal> {
  const body = await gather(request, ANSWER_BYTES_MAX)
  if (body === undefined) return cutOff(call)
  if (body === 'too long') {
    call.fail('error', `The answer has more than ${ANSWER_BYTES_MAX} bytes; let the function stream it.`)
    return {
      status: 413,
      type: 'Function.ResponseSizeTooLarge',
      message: `The answer may have ${ANSWER_BYTES_MAX} bytes.`,
    }
  }
  if (isRaw) call.answerWhole({ status: 200, headers: ['content-type', 'application/json'] }, body)
  else {
    const answer = readAnswer(body)
    if (typeof answer === 'string') call.fail('error', `The function sent ${answer}.`)
    else call.answerWhole(answer, answer.body)
  }
  return undefined
}

function passStream(request: IncomingMessage, call: LambdaCall, isRaw: boolean): Promise<Refusal> {
  const type = request.headers['content-type'] ?? 'application/octet-stream'
  let prelude = !isRaw && type.startsWith(HTTP_ANSWER_TYPE) ? new PreludeReader() : undefined
  if (prelude === undefined) call.start({ status: 200, headers: ['content-type', type] })
  return new Promise(resolve => {
    request.on('data', (chunk: Buffer) => {
      if (call.isOver) return // what was wrong with it has been said
      if (prelude === undefined) call.data(chunk)
      else {
        const found = prelude.read(chunk)
        if (found === undefined) return
        prelude = undefined
        if (typeof found === 'string') return call.fail('error', `The function sent ${found}.`)
        call.start(found.start)
        call.data(found.rest)
      }
      if (!call.isBehind || call.isCancelled) return
      request.pause()
      call.onRoom = () => request.resume()
    })
    request.once('end', () => {
      const { trailers } = request
      const failure = trailers['lambda-runtime-function-error-type']
      if (failure !== undefined) {
        const body = Buffer.from(trailers['lambda-runtime-function-error-body'] ?? '', 'base64')
        const { message, text } = readError(body, failure)
        call.fail('error', message, text)
      } else if (prelude !== undefined)
        call.fail('error', 'The function sent nothing after the prelude of its answer.')
      else call.finish()
      resolve(undefined)
    })
    request.once('close', () => {
      if (!request.readableEnded) resolve(cutOff(call))
    })
  })
}

/** An error as `…/error` reports it: `{ errorMessage, errorType, stackTrace }`, though runtimes may say anything. */
export function readError(body: Buffer, type: string | undefined): ReportedError {
  let said: Readonly<Record<string, unknown>> = {}
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'))
    if (typeof parsed === 'object' && parsed !== null) said = parsed as typeof said
  } catch {
    // Then its type is all that is known.
  }
  const word = (value: unknown): string | undefined =>
    typeof value === 'string' && value !== '' ? value : undefined
  const name = word(said['errorType']) ?? type ?? 'Error'
  const message = `${name}: ${word(said['errorMessage']) ?? 'no message'}`
  const trace = Array.isArray(said['stackTrace']) ? said['stackTrace'] : said['trace']
  const lines = Array.isArray(trace) ? trace.filter(line => typeof line === 'string') : []
  return { message, text: [message, ...lines.filter(line => line !== message)].join('\n') }
}

/** The whole body; `undefined` when the connection breaks before its end. */
export function gather(request: IncomingMessage, bytesMax: number): Promise<Buffer | 'too long' | undefined> {
  return new Promise(resolve => {
    let parts: Buffer[] = []
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= bytesMax) parts.push(chunk)
      else {
        parts = []
        resolve('too long')
      }
    })
    request.once('end', () => resolve(Buffer.concat(parts)))
    request.once('close', () => resolve(undefined))
  })
}

function cutOff(call: LambdaCall): Refusal {
  call.fail('violation', 'The runtime closed the connection before its answer was complete.')
  return { status: 400, type: 'Runtime.TruncatedResponse', message: 'The answer was cut off.' }
}
