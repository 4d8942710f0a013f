import { AtelierError } from '../core/index.ts'

/** What a script can rely on; documented in docs/cli.md. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  notAllowed: 4,
  unreachable: 5,
  conflict: 6,
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/**
 * A command could not do its work. Unlike an AtelierError, which answers a request and has an HTTP status, this ends a
 * process and has an exit code. `hint` is the way out, in a sentence.
 */
export class CliFailure extends Error {
  readonly exitCode: ExitCode
  readonly hint: string | undefined
  /** One line each, shown below the message: the fields that are wrong, the end of a build log. */
  readonly details: readonly string[]
  /** The path of the API that was asked for, where an answer of it said so. */
  readonly path: string | undefined

  constructor(exitCode: ExitCode, message: string, options: FailureOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'CliFailure'
    this.exitCode = exitCode
    this.hint = options.hint
    this.details = options.details ?? []
    this.path = options.path
  }
}

interface FailureOptions {
  readonly hint?: string | undefined
  readonly details?: readonly string[] | undefined
  readonly path?: string | undefined
  readonly cause?: unknown
}

/** The command line itself is wrong. */
export function usage(message: string, hint?: string): CliFailure {
  return new CliFailure(EXIT.usage, message, { hint })
}

/** Any thrown value as something that can be shown. */
export function asFailure(thrown: unknown): CliFailure {
  if (thrown instanceof CliFailure) return thrown
  if (thrown instanceof AtelierError)
    return new CliFailure(exitCodeOf(thrown.status), thrown.message, { cause: thrown })
  const fileFailure = explainFile(thrown)
  if (fileFailure) return fileFailure
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return new CliFailure(EXIT.failed, message, {
    hint: 'Set ATELIER_DEBUG=1 to see where this comes from.',
    cause: thrown,
  })
}

/** The exit code for an HTTP status of the API. */
export function exitCodeOf(status: number): ExitCode {
  if (status === 400) return EXIT.usage
  if (status === 401 || status === 403) return EXIT.notAllowed
  if (status === 404 || status === 410) return EXIT.notFound
  if (status === 409 || status === 412) return EXIT.conflict
  return EXIT.failed
}

const FILE_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  EACCES: 'may not be read or written by you',
  EPERM: 'may not be changed by you',
  EISDIR: 'is a folder',
  ENOTDIR: 'is not a folder',
  ENOSPC: 'cannot be written: the disk is full',
  EROFS: 'cannot be written: the file system is read-only',
}

function explainFile(thrown: unknown): CliFailure | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown) || !('path' in thrown)) return undefined
  const problem = FILE_PROBLEMS[String(thrown.code)]
  return problem
    ? new CliFailure(
        thrown.code === 'ENOENT' ? EXIT.notFound : EXIT.failed,
        `${String(thrown.path)} ${problem}`,
        {
          cause: thrown,
        },
      )
    : undefined
}
