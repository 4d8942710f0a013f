/** The thread that owns the telemetry file: writing a record costs more than the call's way may spend. */
import { parentPort, workerData } from 'node:worker_threads'
import { AtelierError, type ErrorCode, type InputError } from '../core/index.ts'
import type { Batch } from './batch.ts'
import { openTelemetryDatabase } from './database.ts'
import type { Retention } from './prune.ts'
import type { Ask } from './reader.ts'

export type ToWorker =
  | { readonly kind: 'write'; readonly batch: Batch }
  | { readonly kind: 'ask'; readonly number: number; readonly question: Ask }
  | { readonly kind: 'prune'; readonly retention: Retention; readonly nowMs: number }
  | { readonly kind: 'close' }

export type FromWorker =
  | { readonly kind: 'open' }
  | { readonly kind: 'broken'; readonly problem: Problem }
  | { readonly kind: 'written'; readonly problem?: Problem }
  | { readonly kind: 'answer'; readonly number: number; readonly value: unknown }
  | { readonly kind: 'failed'; readonly number: number; readonly problem: Problem }
  | { readonly kind: 'pruned'; readonly more: boolean; readonly problem?: Problem }
  | { readonly kind: 'closed' }

/** An error on its way between threads: only plain data arrives whole. */
export interface Problem {
  readonly code: ErrorCode
  readonly message: string
  readonly errors: readonly InputError[] | undefined
  readonly cause: string | undefined
}

const SQLITE_FULL = 13

const port = parentPort
if (port) serve(port, (workerData as { readonly path: string }).path)

function serve(port: NonNullable<typeof parentPort>, path: string): void {
  const say = (message: FromWorker) => port.postMessage(message)
  try {
    const database = openTelemetryDatabase(path)
    port.on('message', (message: ToWorker) => {
      switch (message.kind) {
        case 'write':
          say({ kind: 'written', ...attempt(() => database.write(message.batch)) })
          break
        case 'ask':
          try {
            say({ kind: 'answer', number: message.number, value: database.ask(message.question) })
          } catch (thrown) {
            say({ kind: 'failed', number: message.number, problem: problemOf(thrown) })
          }
          break
        case 'prune': {
          let more = false
          const outcome = attempt(() => {
            more = database.prune(message.retention, message.nowMs)
          })
          say({ kind: 'pruned', more, ...outcome })
          break
        }
        case 'close':
          database.close()
          say({ kind: 'closed' })
          port.close()
          break
      }
    })
    say({ kind: 'open' })
  } catch (thrown) {
    say({ kind: 'broken', problem: problemOf(thrown) })
    port.close()
  }
}

function attempt(work: () => void): { problem?: Problem } {
  try {
    work()
    return {}
  } catch (thrown) {
    return { problem: problemOf(thrown) }
  }
}

function problemOf(thrown: unknown): Problem {
  if (thrown instanceof AtelierError) {
    const { code, message, errors } = thrown
    return { code, message, errors, cause: undefined }
  }
  const full = (thrown as { errcode?: number }).errcode === SQLITE_FULL
  return {
    code: full ? 'STORAGE_FULL' : 'UNAVAILABLE',
    message: full
      ? 'There is no space left for records of calls.'
      : 'Records of calls cannot be read or written now; the log of the server has the details.',
    errors: undefined,
    cause: thrown instanceof Error ? (thrown.stack ?? thrown.message) : 'unknown',
  }
}
