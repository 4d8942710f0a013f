// LOAD: prepares the process for one version's code, finds the handler, and gives back what runs a call.
import { AsyncLocalStorage } from 'node:async_hooks'
import { Answer } from './answer.mjs'
import { Context } from './context.mjs'
import { findHandler } from './entry.mjs'
import { declareGlobals } from './globals.mjs'
import { captureOutput } from './output.mjs'

/** Prepares the process for any code; once. */
export function makeStage(wire, calls) {
  const current = new AsyncLocalStorage()
  const output = captureOutput(wire, () => current.getStore())
  watchFailures(current, calls, output, wire)
  declareGlobals()
  return { current, output }
}

/** Resolves with the function that runs one call. Rejects with the code's own error, or one that says what is missing. */
export async function prepare(spec, stage) {
  // Without a sandbox there is no /function: the backend says where the bundle is instead.
  const directory = process.env.ATELIER_DIRECTORY ?? spec.directory
  Object.assign(process.env, spec.config, spec.secrets)
  process.chdir(directory)
  return findRunner(directory, spec, stage)
}

/** Imports the code and gives back what runs one call of it. */
export async function findRunner(directory, spec, { current, output }) {
  const loaded = await findHandler(directory, spec.entry).catch(async error => {
    const { placeSyntaxError } = await import('./syntax.mjs')
    placeSyntaxError(error, directory)
    throw error
  })
  const makeHandler = await loaded.convention()
  const handle = makeHandler(loaded.target)

  return function run(call) {
    const context = new Context(call, spec)
    const answer = new Answer(call, context, output)
    current.run(call, start, handle, call, context, answer)
  }
}

function start(handle, call, context, answer) {
  let result
  try {
    result = handle(call, context, answer)
  } catch (error) {
    answer.fail(error)
    return
  }
  if (typeof result?.then === 'function') {
    result.then(
      value => answer.send(value),
      error => answer.fail(error),
    )
  } else answer.send(result)
}

/** Errors that no call's code caught. */
function watchFailures(current, calls, output, wire) {
  process.on('unhandledRejection', reason => {
    output.line(current.getStore(), 2, `Unhandled rejection: ${describe(reason)}`)
  })
  // After an exception that nothing caught, the state of the code is unknown: every running call ends, and the process.
  process.on('uncaughtException', error => {
    output.line(current.getStore(), 2, `Uncaught exception: ${describe(error)}`)
    for (const call of calls.all()) call.fail(new Error('The function ended with an uncaught exception.'))
    process.exit(1)
  })
  process.on('exit', () => wire.flushAtExit())
}

function describe(thrown) {
  return String(thrown?.stack ?? thrown)
}
