import { type ChildProcess, spawn } from 'node:child_process'
import { Server, Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Place } from '../backend.ts'
import { backendFailed, findProgram, OWN_SESSION } from './commands.ts'

const SCRIPT = fileURLToPath(new URL('broker.py', import.meta.url))
const ORDERS_MAX = 4_096
const ANSWER_MS_SPARE = 8_000 // beyond what an order may take by itself; the helper's own limits are shorter
const SAID_BYTES_MAX = 4096

/** The namespaces to enter: those of a process, by its number and the time it started. */
export interface Entrance {
  readonly pid: number
  readonly since: string
  /** Host user whose rights hold inside; `undefined` where the sandbox has a user namespace. */
  readonly uid: number | undefined
}

type Made = Socket | Server | undefined

interface Order {
  readonly cancelTimer: () => void
  resolve(made: Made): void
  reject(error: Error): void
}

/**
 * Makes sockets inside sandboxes through one helper process for the whole server (broker.py): only a process that is not this one
 * can enter namespaces. Started at the first order, and anew when it has died. A socket costs about a millisecond, once;
 * what goes over it then costs nothing more than over any other.
 */
export class Broker {
  readonly #python: string
  readonly #orders = new Map<number, Order>()
  #process: ChildProcess | undefined
  #number = 0
  #said = ''

  private constructor(python: string) {
    this.#python = python
  }

  /** The broker, or why there can be none. */
  static find(): Broker | { readonly reason: string } {
    const python = findProgram('python3')
    return python === undefined ? { reason: 'python3 is not installed' } : new Broker(python)
  }

  async connect(entrance: Entrance, to: Place, patienceMs: number): Promise<Socket | undefined> {
    const made = await this.#order('connect', entrance, to, patienceMs)
    if (made === undefined || made instanceof Socket) return made
    throw backendFailed('its helper gave something else than a connection')
  }

  async listen(entrance: Entrance, at: Place): Promise<Server> {
    const made = await this.#order('listen', entrance, at, 0)
    if (made instanceof Server) return made
    throw backendFailed('its helper gave something else than a server')
  }

  close(): void {
    this.#process?.kill('SIGKILL')
    this.#ended('it was closed')
  }

  #order(op: 'connect' | 'listen', entrance: Entrance, place: Place, patienceMs: number): Promise<Made> {
    if (this.#orders.size >= ORDERS_MAX)
      throw backendFailed(`more than ${ORDERS_MAX} sockets are being made at once`)
    const child = (this.#process ??= this.#start())
    const id = ++this.#number
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#take(id)?.reject(backendFailed('its helper gave no socket in time'))
      }, patienceMs + ANSWER_MS_SPARE)
      if (this.#orders.size === 0) child.channel?.ref()
      this.#orders.set(id, { cancelTimer: () => clearTimeout(timer), resolve, reject })
      const { pid, since, uid = null } = entrance
      child.send({ id, op, pid, since, uid, patienceMs, ...place }, error => {
        if (error) this.#take(id)?.reject(backendFailed('its helper could not be asked', error))
      })
    })
  }

  #start(): ChildProcess {
    const child = spawn(this.#python, ['-I', '-S', SCRIPT], {
      ...OWN_SESSION,
      cwd: '/',
      env: {},
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#said = ''
    child.on('message', (message: Answer, made?: unknown) => this.#answer(message, made))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-SAID_BYTES_MAX)
    })
    const ended = (why: string) => {
      if (this.#process === child) this.#ended(why)
    }
    child.once('error', error => ended(error.message))
    child.once('exit', (code, signal) => ended(`it ended with ${signal ?? code}: ${this.#said.trim()}`))
    child.once('disconnect', () => child.kill('SIGKILL'))
    // The server ends when it likes: this process then sees its channel end.
    child.unref()
    child.channel?.unref()
    ;(child.stderr as unknown as { unref?: () => void } | null)?.unref?.()
    return child
  }

  #answer(message: Answer, made: unknown): void {
    const order = this.#take(message.id)
    const isSocket = made instanceof Socket
    if (isSocket) made.on('error', () => {}) // a peer that resets is not news; 'close' follows
    if (order === undefined) {
      if (isSocket) made.destroy()
      else if (made instanceof Server) made.close()
    } else if (message.error !== undefined)
      order.reject(backendFailed('no socket could be made in it', new Error(message.error)))
    else order.resolve(isSocket || made instanceof Server ? made : undefined)
  }

  #take(id: number): Order | undefined {
    const order = this.#orders.get(id)
    if (order === undefined) return undefined
    this.#orders.delete(id)
    order.cancelTimer()
    if (this.#orders.size === 0) this.#process?.channel?.unref()
    return order
  }

  #ended(why: string): void {
    this.#process = undefined
    for (const id of this.#orders.keys())
      this.#take(id)?.reject(backendFailed('its helper is gone', new Error(why)))
  }
}

interface Answer {
  readonly id: number
  readonly error?: string
}
