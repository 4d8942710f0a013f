/** The thread that reads what was kept and tidies it. It is there only while it is asked something. */
import { parentPort, workerData } from 'node:worker_threads'
import { AtelierError, type ErrorCode, type InputError } from '../core/index.ts'
import type { Answers, Ask, Question } from './answers.ts'
import { listLines } from './find-logs.ts'
import { listAttempts, listRecords, oneRecord } from './find-records.ts'
import { SegmentFiles } from './segment-files.ts'
import { tidy } from './tidy.ts'
import { readUsage } from './usage.ts'

export interface ToWorker {
  readonly number: number
  readonly question: Ask
}

export type FromWorker =
  | { readonly number: number; readonly value: unknown }
  | { readonly number: number; readonly problem: Problem }

/** An error on its way between threads: only plain data arrives whole. */
export interface Problem {
  readonly code: ErrorCode
  readonly message: string
  readonly errors: readonly InputError[] | undefined
  readonly cause: string | undefined
}

type Doers = { readonly [K in keyof Answers]: (question: Question<K>) => Answers[K] | Promise<Answers[K]> }

const port = parentPort
if (port) serve(port, (workerData as { readonly root: string }).root)

function serve(port: NonNullable<typeof parentPort>, root: string): void {
  const files = new SegmentFiles(root)
  const doers: Doers = {
    invocation: question => oneRecord(files, question),
    attempts: question => listAttempts(files, question),
    invocations: question => listRecords(files, question),
    logs: question => listLines(files, question),
    usage: question => readUsage(files, question),
    tidy: question => {
      tidy(files, root, question)
      return undefined
    },
    import: async question => {
      const { importLegacy } = await import('./legacy.ts')
      importLegacy(files, root, question)
      return undefined
    },
  }
  const answer = async <K extends keyof Answers>(
    number: number,
    question: Question<K>,
  ): Promise<FromWorker> => {
    try {
      return { number, value: await doers[question.kind](question) }
    } catch (thrown) {
      return { number, problem: problemOf(thrown) }
    }
  }
  port.on('message', ({ number, question }: ToWorker) => {
    void answer(number, question).then(message => port.postMessage(message))
  })
}

function problemOf(thrown: unknown): Problem {
  if (thrown instanceof AtelierError) {
    const { code, message, errors } = thrown
    return { code, message, errors, cause: undefined }
  }
  return {
    code: 'UNAVAILABLE',
    message: 'Records of calls cannot be read now; the log of the server has the details.',
    errors: undefined,
    cause: thrown instanceof Error ? (thrown.stack ?? thrown.message) : 'unknown',
  }
}
