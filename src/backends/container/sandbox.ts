import { existsSync } from 'node:fs'
import type { Server, Socket } from 'node:net'
import { constants } from 'node:os'
import { Duplex, type Readable, type Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Limits } from '../../core/index.ts'
import type { Grant, Inside, Place, Sandbox, SandboxExit } from '../backend.ts'
import type { Demultiplexer } from './demux.ts'
import { engineFailed } from './http.ts'
import { Meter, type Usage } from './meter.ts'

const END_NOTICED_MS = 1_000 // a connection breaks a little before the engine tells of the end
const SIGNAL_EXIT_BASE = 128

/** How a container ended, by the engine's word; `undefined`: the engine cannot be asked. */
export type Ended = { readonly code: number; readonly outOfMemory: boolean } | undefined

/** A running container, and what can be done to it. */
export interface Container {
  readonly id: string
  readonly pid: number | undefined
  /** The raw stream of its stdin, when that is open. */
  readonly raw: Duplex
  readonly output: Demultiplexer
  readonly hasStdin: boolean
  /** Its stdin and stdout are the contract's channel. */
  readonly speaksOnStdio: boolean
  readonly inside: Inside | undefined
  readonly limits: Limits
  readonly hasGrant: boolean
  readonly way: { close(): void } | undefined
  signal(name: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** Waits for the end after its output has ended; never rejects. */
  end(): Promise<Ended>
  /** Removes it, now or when the engine is back; never rejects. */
  remove(): Promise<void>
}

/** A container as the pool holds it. */
export class ContainerSandbox implements Sandbox {
  readonly id: string
  readonly pid: number | undefined
  readonly channel: Duplex
  readonly stdin: Writable | undefined
  readonly stdout: Readable
  readonly stderr: Readable
  readonly exited: Promise<SandboxExit>
  readonly #container: Container
  readonly #meter: Meter
  #hasGrant: boolean
  #killed = false
  #killing: Promise<void> | undefined
  #removal: Promise<void> | undefined

  constructor(id: string, container: Container) {
    this.id = id
    this.pid = container.pid
    this.#container = container
    this.#hasGrant = container.hasGrant
    this.#meter = new Meter(container.pid)
    const { raw, output, speaksOnStdio } = container
    this.stderr = output.stderr
    if (speaksOnStdio) {
      this.channel = Duplex.from({ readable: output.stdout, writable: raw })
      this.channel.on('error', () => {})
      this.stdout = emptied()
    } else {
      this.channel = silent()
      this.stdout = output.stdout
    }
    this.stdin = container.hasStdin && !speaksOnStdio ? raw : undefined
    this.exited = output.ended.then(() => this.#finish())
  }

  fits(limits: Limits): boolean {
    if (this.#hasGrant) return false
    const has = this.#container.limits
    const names = ['memoryMiB', 'cpuMillicores', 'tmpMiB', 'processesMax', 'openFilesMax'] as const
    return names.every(name => has[name] === limits[name])
  }

  /** The image is its code already; limits and network stay as they are. */
  async attach(grant: Grant): Promise<void> {
    if (this.#hasGrant) throw engineFailed(`${this.id} has its code already`)
    this.#hasGrant = true
    if (grant.network !== 'none') throw engineFailed(`${this.id} was started without a network`)
  }

  async connect(to: Place, patienceMs?: number): Promise<Socket | undefined> {
    try {
      return await this.#inside().connect(to, patienceMs)
    } catch (error) {
      // In one that has ended nobody listens, and `exited` tells why: that is not the engine's failure.
      if (await this.#endsWithin(END_NOTICED_MS)) return undefined
      throw error
    }
  }

  async #endsWithin(ms: number): Promise<boolean> {
    const late = new AbortController()
    const waited = sleep(ms, false, { signal: late.signal, ref: false }).catch(() => false)
    const hasEnded = await Promise.race([this.exited.then(() => true), waited])
    late.abort()
    return hasEnded
  }

  async listen(at: Place): Promise<Server> {
    return this.#inside().listen(at)
  }

  usage(): Usage {
    return this.#meter.read()
  }

  resetPeak(): void {
    this.#meter.resetPeak()
  }

  /** Its environment is fixed when it is made: nothing here waits. */
  begin(): void {}

  terminate(): void {
    this.#container.signal('SIGTERM').catch(() => {}) // gone, or the engine is: both are told by `exited`
  }

  async kill(): Promise<void> {
    this.#killing ??= this.#kill()
    await this.#killing
  }

  async #kill(): Promise<void> {
    if (this.#removal === undefined) {
      this.#killed = true
      this.#meter.read()
      const { raw, signal } = this.#container
      // Without an engine nobody tells of the end; the container is removed when the engine is back.
      await signal('SIGKILL').catch(() => raw.destroy())
      await this.exited
    }
    await this.#removal
  }

  isEnding(): boolean {
    return this.pid !== undefined && !existsSync(`/proc/${this.pid}`)
  }

  #inside(): Inside {
    const { inside } = this.#container
    if (inside === undefined)
      throw engineFailed('no socket can be made in it: it has ended, or nobody may enter it')
    return inside
  }

  async #finish(): Promise<SandboxExit> {
    const { end, remove, way, output, raw } = this.#container
    const ended = await end()
    way?.close()
    raw.destroy()
    this.channel.destroy()
    // Not waited for: whoever waits for an answer that is an exit does not wait for an engine to tidy up.
    this.#removal = remove()
    const code = ended?.code
    const signal =
      code !== undefined && code > SIGNAL_EXIT_BASE ? signalName(code - SIGNAL_EXIT_BASE) : undefined
    return {
      code: signal === undefined ? code : undefined,
      signal,
      reason: this.#killed ? 'killed' : ended?.outOfMemory === true ? 'memory' : 'exit',
      tail: output.tail,
      ...(ended === undefined &&
        !this.#killed && { error: engineFailed('the container engine went away while it ran') }),
    }
  }
}

function signalName(number: number): string | undefined {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0]
}

/** A channel over which nobody speaks; it ends with the container. */
function silent(): Duplex {
  const channel = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  channel.on('error', () => {})
  return channel
}

function emptied(): Readable {
  const stream = silent()
  stream.push(null)
  return stream
}
