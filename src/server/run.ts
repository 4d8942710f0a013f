import { asAtelierError } from '../core/index.ts'
import { readConfig, type ServerConfig } from './config.ts'
import { handOver } from './hand-over.ts'
import { takeInheritance } from './inherited.ts'
import { createLog, type ServerLog } from './log.ts'
import { type ProcessFile, removeProcessFile, writeProcessFile } from './process-file.ts'
import { type Server, startServer } from './server.ts'
import { Predecessor } from './successor.ts'

const ONE_STOP_MS = 500
const ALIVE_MS = 60_000
/** As the command's own codes, docs/cli.md: who restarts what has failed should not when the settings are wrong. */
const EXIT_WRONG_SETTINGS = 2
const EXIT_FAILED = 1

/**
 * The life of a server process: configuration, start, what it prints, and the signals that end it. SIGTERM and SIGINT drain,
 * also while it starts; a second one ends at once. SIGUSR2 has a new process take over (`hand-over.ts`). Resolves with the
 * exit code.
 */
export async function runServer(
  flags: Readonly<Record<string, string | boolean | undefined>>,
  file: string | undefined,
): Promise<number> {
  const stopAsked = stopSignal()
  const { listeners, predecessor: socket } = takeInheritance(process.env, process.pid)
  const predecessor = socket && new Predecessor(socket)
  try {
    const config = await readConfig({ flags, env: process.env, file })
    const log = createLog(config['log-level'], config['log-file'])
    if (predecessor && !(await before(predecessor.leaves(), stopAsked))) return 0
    const server = await startServer(config, log, listeners)
    noteProcess(config.home, log)
    console.log(server.banner)
    predecessor?.succeeded()
    // What is waited for may be a timer, and those keep no process alive.
    const alive = setInterval(() => {}, ALIVE_MS)
    await leaving(server, config, log, stopAsked)
    clearInterval(alive)
    return 0
  } catch (thrown) {
    const error = asAtelierError(thrown)
    console.error(`error: ${error.message}`)
    if (error.code === 'INTERNAL') console.error(thrown)
    return error.code === 'INVALID_INPUT' ? EXIT_WRONG_SETTINGS : EXIT_FAILED
  } finally {
    predecessor?.close()
  }
}

/** Serves until it is told to stop, or a new process serves in its place. */
async function leaving(
  server: Server,
  config: ServerConfig,
  log: ServerLog,
  stopAsked: Promise<void>,
): Promise<void> {
  const restarts = restartSignals()
  if (config['tls-cert'] !== '') process.on('SIGHUP', () => void reload(server, log))
  while (await before(restarts.next(), stopAsked)) {
    try {
      await handOver(server, stopAsked)
      return
    } catch (thrown) {
      const { message } = asAtelierError(thrown)
      if (server.isStopping) throw thrown
      log.error({}, `No restart: ${message}`)
      noteProcess(config.home, log, { reason: message, atMs: Date.now() })
    }
  }
  console.log('Stopping: running calls may finish; another signal ends them.')
  removeProcessFile(config.home)
  await server.stop()
}

/** Without a certificate, SIGHUP is what it is to every program: the terminal is gone. */
async function reload(server: Server, log: ServerLog): Promise<void> {
  try {
    await server.reload()
  } catch (thrown) {
    log.error({}, `The certificate stays as it was: ${asAtelierError(thrown).message}`)
  }
}

/** On a full disk the server serves all the same; only the command to restart does not find it. */
function noteProcess(home: string, log: ServerLog, refused?: ProcessFile['refused']): void {
  try {
    writeProcessFile(home, refused)
  } catch (err) {
    log.warn(
      { err },
      'This process cannot be noted in the data directory: "atelier restart" will not find it.',
    )
  }
}

/** Whether `wanted` came before `stop` did. */
function before(wanted: Promise<unknown>, stop: Promise<void>): Promise<boolean> {
  return Promise.race([wanted.then(() => true), stop.then(() => false)])
}

/** Signals to restart, one after the other; those that come while one is at work are it. */
function restartSignals(): { next(): Promise<void> } {
  let onSignal = (): void => {}
  process.on('SIGUSR2', () => onSignal())
  return {
    next: () =>
      new Promise(resolve => {
        onSignal = resolve
      }),
  }
}

/**
 * Resolves at the first signal to stop; a later one ends the process. Ctrl-C under npm arrives twice, from the terminal and
 * from npm, so what comes together is one.
 */
function stopSignal(): Promise<void> {
  return new Promise(resolve => {
    let firstMs: number | undefined
    const onSignal = (): void => {
      firstMs ??= performance.now()
      if (performance.now() - firstMs > ONE_STOP_MS) process.exit(1)
      resolve()
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
  })
}
