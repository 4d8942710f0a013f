/** What Qinling says of how an execution ended. Pure. */
import { pythonJson, respaced } from './json.ts'

export interface Outcome {
  readonly status: 'success' | 'failed' | 'error'
  /** JSON. */
  readonly result: string | null
}

const TIMEOUT = 'Function execution timeout.'
const TOO_MUCH = 'Function execution failed because of too much resource consumption'
const FAILED = 'Function execution failed.'

/** A runtime's answer: its body is the output as JSON, and a header says how long it took. */
export function outcomeOfAnswer(status: number, headers: readonly string[], body: Buffer): Outcome {
  const duration = headerOf(headers, 'qinling-duration')
  const text = body.toString()
  if (duration === undefined || !/^\d+(\.\d+)?(e-\d+)?$/.test(duration) || !isJson(text))
    return { status: 'failed', result: pythonJson({ output: FAILED }) }
  return {
    status: status === 200 ? 'success' : 'failed',
    // As it was written: numbers that JavaScript does not have stay what they are.
    result: `{"output": ${respaced(text)}, "duration": ${duration}}`,
  }
}

/** A container that ran to its end: what it printed is its log. */
export function outcomeOfImage(status: number, durationMs: number): Outcome {
  const duration = Math.round(durationMs / 1000)
  return status === 200
    ? { status: 'success', result: pythonJson({ duration }) }
    : { status: 'failed', result: pythonJson({ output: FAILED, duration }) }
}

/** An execution that has no answer, by the code of its error. */
export function outcomeOfFailure(code: string, message: string, durationMs: number): Outcome {
  const duration = Math.round(durationMs) / 1000
  const failed = (output: string): Outcome => ({ status: 'failed', result: pythonJson({ output, duration }) })
  switch (code) {
    case 'FUNCTION_TIMEOUT':
      return failed(TIMEOUT)
    case 'FUNCTION_OUT_OF_MEMORY':
    case 'FUNCTION_CRASHED':
      return failed(TOO_MUCH)
    case 'FUNCTION_LOAD_FAILED':
    case 'FUNCTION_BAD_ANSWER':
      return failed(message)
    case 'FUNCTION_FAILED':
      return failed(FAILED)
    default:
      return { status: 'error', result: pythonJson({ output: FAILED }) }
  }
}

function headerOf(headers: readonly string[], name: string): string | undefined {
  const at = headers.findIndex((each, i) => i % 2 === 0 && each.toLowerCase() === name)
  return at < 0 ? undefined : headers[at + 1]
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
