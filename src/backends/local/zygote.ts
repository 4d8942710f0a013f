import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { AtelierError } from '../../core/index.ts'
import { OWN_SESSION } from './commands.ts'
import { until } from './launch.ts'
import type { Launched, Launcher, LaunchSpec } from './launcher.ts'
import { descendants } from './procfs.ts'

const LAUNCH_MS_MAX = 10_000 // a fork takes milliseconds; a zygote that needs longer is lost, and is started anew
const FOLDER_PREFIX = 'atelier-zygote-'
const RUN_PATH_BYTES_MAX = 80 // the path of a socket has 107 bytes at most
const GREETING_BYTES_MAX = 128
const GO = '\n'
const KINDS = ['channel', 'stdout', 'stderr'] as const

type Kind = (typeof KINDS)[number]
type Exit = Awaited<Launched['exited']>

/** A child that was asked for: what has arrived of it, and whom to tell. */
interface Pending {
  readonly id: string
  readonly sockets: Partial<Record<Kind, Socket>>
  pid: number | undefined
  resolve(value: void): void
  reject(error: Error): void
}

type Answer =
  | { readonly id: string; readonly pid: number }
  | { readonly id: string; readonly error: string }
  | { readonly id: string; readonly code: number }
  | { readonly id: string; readonly signal: string }

/**
 * Launches by forking a process that has booted and imported already (`environments/python/zygote.py` has the protocol).
 * The process is started at the first launch, and anew when it has died. The child runs the shim that the zygote knows,
 * so `command` of the spec is not used.
 */
export class ZygoteLauncher implements Launcher {
  readonly name = 'zygote'
  readonly #command: readonly string[]
  readonly #runPath: string
  #running: Zygote | undefined

  /**
   * @param command program and arguments of the zygote, as paths on this machine
   * @param runPath private folder for its socket; `removeZygoteFolders` clears what a killed process left there
   */
  constructor(command: readonly string[], runPath: string) {
    this.#command = command
    this.#runPath = runPath
  }

  launch(spec: LaunchSpec, signal: AbortSignal): Promise<Launched> {
    if (this.#running === undefined || this.#running.over)
      this.#running = new Zygote(this.#command, this.#runPath)
    return this.#running.launch(spec, signal)
  }

  /** Ends the zygote and, by the kernel, all its children. */
  close(): void {
    this.#running?.close()
    this.#running = undefined
  }
}

/** Removes the folders of zygotes whose server was killed; for the start, before there are any. */
export function removeZygoteFolders(runPath: string): void {
  for (const name of readdirSync(runPath))
    if (name.startsWith(FOLDER_PREFIX)) rmSync(join(runPath, name), { recursive: true, force: true })
}

class Zygote {
  readonly #process: ChildProcess
  readonly #folder: string
  readonly #socketPath: string
  readonly #server: Server
  readonly #listening: Promise<void>
  readonly #pending = new Map<string, Pending>()
  readonly #exits = new Map<string, (exit: Exit) => void>()
  #tail = ''
  over = false

  constructor(command: readonly string[], runPath: string) {
    const isShort = Buffer.byteLength(runPath) <= RUN_PATH_BYTES_MAX
    this.#folder = mkdtempSync(join(isShort ? runPath : tmpdir(), FOLDER_PREFIX))
    this.#socketPath = join(this.#folder, 's')
    this.#server = createServer({ pauseOnConnect: true }, socket => this.#greet(socket))
    this.#listening = new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#socketPath, resolve)
    })
    this.#server.unref()
    const [program = '', ...args] = command
    this.#process = spawn(program, args, {
      ...OWN_SESSION,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { LANG: 'C.UTF-8' },
      cwd: '/',
    })
    this.#process.unref()
    this.#process.once('error', error => this.#end(error.message))
    this.#process.once('exit', (code, signal) => this.#end(`it ended with ${signal ?? code}`))
    this.#process.stdin?.on('error', () => undefined) // its exit tells the same, with the reason
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#tail = (this.#tail + text).slice(-4096)
    })
    if (this.#process.stdout)
      createInterface({ input: this.#process.stdout }).on('line', line =>
        this.#hear(JSON.parse(line) as Answer),
      )
  }

  async launch(spec: LaunchSpec, signal: AbortSignal): Promise<Launched> {
    signal.throwIfAborted()
    await this.#listening
    const token = randomBytes(16).toString('hex')
    const sockets: Pending['sockets'] = {}
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const pending: Pending = { id: spec.id, sockets, pid: undefined, resolve, reject }
    const exited = new Promise<Exit>(settle => this.#exits.set(spec.id, settle))
    this.#pending.set(token, pending)
    const onAbort = (): void =>
      reject(new AtelierError('CANCELLED', `The start of instance ${spec.id} was cancelled.`))
    signal.addEventListener('abort', onAbort, { once: true })
    const timer = setTimeout(() => reject(failed(`no child within ${LAUNCH_MS_MAX} ms`)), LAUNCH_MS_MAX)
    try {
      this.#send(spec, token)
      await promise
      const { channel, stdout, stderr } = sockets
      const pid = pending.pid
      if (!channel || !stdout || !stderr || pid === undefined) throw failed('a connection is missing')
      await spec.beforeStart(pid)
      signal.throwIfAborted()
      if (this.over) throw failed(this.#tail)
      channel.write(GO)
      const kill = (): void => killNow(pid)
      // It forks the shim once all is in place.
      const complete = () => until(() => descendants(pid, 2).length > 1, pid)
      return { pid, monitorPid: pid, channel, stdout, stderr, complete, exited, kill }
    } catch (error) {
      this.#exits.delete(spec.id)
      if (pending.pid !== undefined) killNow(pending.pid)
      for (const socket of Object.values(sockets)) socket.destroy()
      throw error
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      this.#pending.delete(token)
    }
  }

  close(): void {
    this.#end('it was closed')
    this.#process.kill('SIGKILL')
  }

  #send(spec: LaunchSpec, token: string): void {
    const request = {
      id: spec.id,
      socket: this.#socketPath,
      token,
      mounts: spec.mounts,
      identity: spec.identity,
      rlimits: spec.rlimits,
      seccomp: spec.seccompPath ?? null,
      hostname: spec.hostname,
      env: spec.env,
      directory: spec.directory,
    }
    this.#process.stdin?.write(`${JSON.stringify(request)}\n`)
  }

  /** A connection of a child says whose it is and what for, in its first line; everything after that is not ours to read. */
  #greet(socket: Socket): void {
    let greeting = ''
    socket.on('error', () => undefined) // whoever takes the socket over listens to its close
    const onReadable = (): void => {
      for (
        let byte = socket.read(1) as Buffer | null;
        byte !== null;
        byte = socket.read(1) as Buffer | null
      ) {
        if (byte[0] !== 10) {
          greeting += byte.toString('latin1')
          if (greeting.length <= GREETING_BYTES_MAX) continue
          socket.destroy()
          return
        }
        socket.off('readable', onReadable)
        this.#accept(socket, greeting)
        return
      }
    }
    socket.on('readable', onReadable)
  }

  #accept(socket: Socket, greeting: string): void {
    const [token = '', kind = ''] = greeting.split(' ')
    const pending = this.#pending.get(token)
    const known = KINDS.find(each => each === kind)
    if (pending === undefined || known === undefined) {
      socket.destroy()
      return
    }
    pending.sockets[known] = socket
    this.#settle(pending)
  }

  #hear(answer: Answer): void {
    if ('code' in answer || 'signal' in answer) {
      const exit =
        'code' in answer
          ? { code: answer.code, signal: undefined }
          : { code: undefined, signal: answer.signal }
      this.#exits.get(answer.id)?.(exit)
      this.#exits.delete(answer.id)
      this.#find(answer.id)?.reject(failed(`the child ended with ${exit.signal ?? exit.code}. ${this.#tail}`))
      return
    }
    const pending = this.#find(answer.id)
    if (pending === undefined) {
      if ('pid' in answer) killNow(answer.pid) // nobody waits for it any more
      return
    }
    if ('error' in answer) {
      pending.reject(failed(answer.error))
      return
    }
    pending.pid = answer.pid
    this.#settle(pending)
  }

  #find(id: string): Pending | undefined {
    for (const pending of this.#pending.values()) if (pending.id === id) return pending
    return undefined
  }

  #settle(pending: Pending): void {
    if (pending.pid !== undefined && KINDS.every(kind => pending.sockets[kind])) pending.resolve()
  }

  #end(reason: string): void {
    if (this.over) return
    this.over = true
    this.#server.close()
    rmSync(this.#folder, { recursive: true, force: true })
    for (const pending of this.#pending.values()) pending.reject(failed(`${reason}. ${this.#tail}`))
    // The kernel kills the children with their parent.
    for (const settle of this.#exits.values()) settle({ code: undefined, signal: 'SIGKILL' })
    this.#exits.clear()
  }
}

function failed(detail: string): AtelierError {
  return new AtelierError('BACKEND_FAILED', 'No instance could be forked from the zygote.', {
    cause: new Error(detail),
  })
}

function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It is gone already.
  }
}
