import { CliFailure, EXIT, exitCodeOf } from '../failure.ts'
import { printable } from '../output/styles.ts'
import type { Problem } from './wire.ts'

/** The failure that an answer of the API stands for. */
export function failureFrom(
  status: number,
  body: string,
  login: { readonly url: string },
  path?: string,
): CliFailure {
  const problem = asProblem(body)
  if (!problem) {
    return new CliFailure(exitCodeOf(status), `the server answered ${status}`, {
      hint: `Check that ${login.url} is the API of Atelier (port 1881 by default).`,
    })
  }
  return failureFromProblem({ ...problem, status }, path)
}

/** The failure that a problem document stands for, whether it was an answer or the last line of a stream. */
export function failureFromProblem(problem: Problem, path?: string): CliFailure {
  const message = lines(problem.detail ?? problem.title ?? `the server answered ${problem.status}`)
  const fields = (problem.errors ?? []).map(one =>
    printable(one.pointer ? `${one.pointer}: ${one.detail}` : one.detail),
  )
  // One field with the sentence of the problem itself says nothing new.
  const details = [...message.slice(1), ...(fields.length === 1 && message.length === 1 ? [] : fields)]
  return new CliFailure(exitCodeOf(problem.status), message[0]!, { details, hint: hintFor(problem), path })
}

function hintFor(problem: Problem): string | undefined {
  if (problem.status === 401) return 'Log in again with "atelier login".'
  if (problem.status === 429 && problem.retryAfter) return `Try again in ${problem.retryAfter} s.`
  if (problem.status === 412) return 'Somebody changed it meanwhile: look at it, then try again.'
  return undefined
}

function lines(text: string): string[] {
  return text.split('\n').map(printable)
}

function asProblem(body: string): Problem | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null && ('detail' in value || 'title' in value)
      ? (value as Problem)
      : undefined
  } catch {
    return undefined
  }
}

/** For the commands that treat "there is none" as an answer. */
export function isNotFound(thrown: unknown): boolean {
  return thrown instanceof CliFailure && thrown.exitCode === EXIT.notFound
}
