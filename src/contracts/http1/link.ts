import type { Socket } from 'node:net'
import type { Place } from '../../backends/index.ts'
import { AtelierError, asAtelierError, type Clock } from '../../core/index.ts'
import { CallTable } from '../call-table.ts'
import type {
  CallHandle,
  CallHead,
  CallSink,
  ContractAccess,
  Link,
  LinkEvents,
  LinkFailure,
} from '../contract.ts'
import { HttpCall, type HttpCallHome } from './call.ts'
import { HttpConnection } from './connection.ts'
import { type RequestLine, type RequestText, requestText } from './request.ts'
import { HttpSocketCall, type SocketCallHome } from './socket-call.ts'

/** How one contract uses HTTP. */
export interface HttpWays {
  /** Where the server listens. */
  readonly place: Place
  /** How long it may take until it listens. */
  readonly startMs: number
  /** What to say when it never does. */
  readonly notListening: string
  /** The call as the server is to see it. */
  request(head: CallHead): RequestLine
  /** What is between the server's answer and the caller; it tells `drop` of the bytes that it does not pass on. @default nothing */
  answer?(sink: CallSink, head: CallHead, drop: (bytes: number) => void): CallSink
  /** Whether the server may accept WebSockets. @default false: it is asked without the wish for one */
  readonly webSocket?: boolean
  /** What comes between listening and the first call. Rejects with FUNCTION_LOAD_FAILED. */
  load?(server: HttpServerAccess): Promise<void>
}

/** For what a contract says to the server itself. */
export interface HttpServerAccess {
  /** A connection, or `undefined` when nobody listens any more. */
  connect(): Promise<Socket | undefined>
  readonly startMs: number
  readonly isClosed: boolean
}

/** Servers close connections that they do not use; one that has been idle for longer is not trusted to be still there. */
const IDLE_MS_MAX = 1_500
/** A connection breaks a little before the exit that explains it. */
const EXIT_FIRST_MS = 250
/** Looks at one that is ending, each so long after the other: engines of containers take their time to tell, and so does gVisor. */
const EXIT_LOOKS_MAX = 60

/** The conversation with a server in an instance: a connection for each call at once, used again and again. */
export class HttpLink implements Link, HttpCallHome, SocketCallHome {
  readonly ready = Promise.resolve()
  readonly #access: ContractAccess
  readonly #events: LinkEvents
  readonly #clock: Clock
  readonly #ways: HttpWays
  readonly #calls = new CallTable<HttpCall | HttpSocketCall>()
  readonly #connections = new Set<HttpConnection>() // at most one for each call at once, of which the pool counts
  readonly #idle: HttpConnection[] = []
  readonly #gone = Promise.withResolvers<undefined>()
  #closed: LinkFailure | undefined

  constructor(access: ContractAccess, events: LinkEvents, clock: Clock, ways: HttpWays) {
    this.#access = access
    this.#events = events
    this.#clock = clock
    this.#ways = ways
    void access.exited.then(() => this.#close({ kind: 'closed', detail: 'The process ended.' }))
  }

  async load(): Promise<{ initMs: number }> {
    const { place, startMs, notListening, load } = this.#ways
    const began = this.#clock.monotonic()
    const socket = await this.#connect(() => this.#access.connect(place, startMs))
    if (this.#closed) throw new AtelierError('FUNCTION_LOAD_FAILED', 'The process ended before it listened.')
    if (socket === undefined) throw new AtelierError('FUNCTION_LOAD_FAILED', notListening)
    if (load === undefined) this.#rest(this.#adopt(socket))
    else {
      socket.destroy()
      const hasClosed = () => this.#hasClosed()
      await load({
        connect: () => this.#connect(() => this.#access.connect(place)),
        startMs: Math.max(1, startMs - (this.#clock.monotonic() - began)),
        get isClosed() {
          return hasClosed()
        },
      })
    }
    return { initMs: this.#clock.monotonic() - began }
  }

  invoke(head: CallHead, sink: CallSink): CallHandle {
    const request = requestText(this.#ways.request(head), head)
    const number = this.#calls.nextNumber()
    if (head.webSocket === true && this.#ways.webSocket === true)
      return this.#invokeSocket(number, head, request, sink)
    const drop = (bytes: number) => call.consumed(bytes)
    const call: HttpCall = new HttpCall(
      this,
      number,
      head,
      request,
      this.#ways.answer?.(sink, head, drop) ?? sink,
    )
    this.#calls.add(call)
    const closed = this.#closed
    if (closed) queueMicrotask(() => call.fail(closed.kind, closed.detail))
    else this.#send(call)
    return call
  }

  #invokeSocket(number: number, head: CallHead, request: RequestText, sink: CallSink): CallHandle {
    const call = new HttpSocketCall(this, number, head, request, sink)
    this.#calls.add(call)
    const closed = this.#closed
    if (closed) queueMicrotask(() => call.fail(closed.kind, closed.detail))
    else void this.#open(call)
    return call
  }

  drain(): void {
    this.#access.terminate()
  }

  destroy(): void {
    this.#close({ kind: 'closed', detail: 'The platform ended the instance.' })
  }

  /** Whether it still takes connections; more cannot be known without a call. */
  async ping(timeoutMs: number): Promise<boolean> {
    if (this.#closed) return false
    const late = Promise.withResolvers<undefined>()
    const cancel = this.#clock.after(timeoutMs, () => late.resolve(undefined))
    const connecting = this.#access.connect(this.#ways.place).catch(() => undefined)
    const socket = await Promise.race([connecting, late.promise])
    cancel()
    void connecting.then(made => made?.destroy())
    return socket !== undefined
  }

  over(call: HttpCall | HttpSocketCall, isReusable?: boolean): void {
    this.#calls.delete(call.number)
    if (call instanceof HttpSocketCall) return
    const { connection } = call
    if (connection === undefined) return
    if (isReusable && !connection.isClosed && this.#closed === undefined) this.#rest(connection)
    else connection.close()
  }

  broke(call: HttpCall, problem: string): void {
    const { connection } = call
    const wasClosed = connection?.isClosed === true
    if (wasClosed && call.mayBeginAgain && this.#closed === undefined) {
      call.isReused = false
      void this.#open(call)
      return
    }
    if (!wasClosed) return call.fail('violation', `The server sent ${problem}.`)
    this.#failUnlessEnded(call, 'violation', `The server closed the connection: it sent ${problem}.`)
  }

  brokeOff(call: HttpSocketCall, kind: 'error' | 'violation', problem: string): void {
    this.#failUnlessEnded(call, kind, `The server broke the WebSocket off: ${problem}.`)
  }

  #send(call: HttpCall): void {
    const oldest = this.#clock.monotonic() - IDLE_MS_MAX
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (!idle.isClosed && idle.idleSince > oldest) {
        call.begin(idle, true)
        return
      }
      idle.close()
    }
    void this.#open(call)
  }

  async #open(call: HttpCall | HttpSocketCall): Promise<void> {
    let socket: Socket | undefined
    try {
      socket = await this.#connect(() => this.#access.connect(this.#ways.place))
    } catch (thrown) {
      call.fail('closed', asAtelierError(thrown).message)
      return
    }
    const closed = this.#closed
    if (closed || call.isOver) {
      socket?.destroy()
      if (closed) call.fail(closed.kind, closed.detail)
    } else if (socket === undefined)
      this.#failUnlessEnded(call, 'violation', 'The server has stopped to listen.')
    else if (call instanceof HttpSocketCall) call.begin(socket)
    else call.begin(this.#adopt(socket), false)
  }

  /** Its process may just be ending, which says more. */
  #failUnlessEnded(
    call: HttpCall | HttpSocketCall,
    kind: 'error' | 'violation',
    message: string,
    looksLeft = EXIT_LOOKS_MAX,
  ): void {
    this.#clock.after(EXIT_FIRST_MS, () => {
      const closed = this.#closed
      if (closed) call.fail(closed.kind, closed.detail)
      else if (looksLeft > 0 && this.#access.isEnding?.() === true)
        this.#failUnlessEnded(call, kind, message, looksLeft - 1)
      else call.fail(kind, message)
    })
  }

  /** A sandbox that ends meanwhile is no reason to say more than that. */
  async #connect(work: () => Promise<Socket | undefined>): Promise<Socket | undefined> {
    if (this.#closed) return undefined
    const working = work()
    try {
      const made = await Promise.race([working, this.#gone.promise])
      if (made === undefined) working.then(late => late?.destroy()).catch(() => {})
      return made
    } catch (error) {
      // Its sandbox may just be ending, and `exited` tells a little later.
      for (let looks = 0; looks < EXIT_LOOKS_MAX; looks++) {
        const waited = new Promise<void>(resolve => this.#clock.after(EXIT_FIRST_MS, resolve))
        await Promise.race([this.#gone.promise, waited])
        if (this.#hasClosed()) return undefined
        if (this.#access.isEnding?.() !== true) break
      }
      throw error
    }
  }

  #hasClosed(): boolean {
    return this.#closed !== undefined
  }

  #adopt(socket: Socket): HttpConnection {
    const connection = new HttpConnection(socket, gone => {
      this.#connections.delete(gone)
      const at = this.#idle.indexOf(gone)
      if (at >= 0) this.#idle.splice(at, 1)
    })
    this.#connections.add(connection)
    return connection
  }

  #rest(connection: HttpConnection): void {
    connection.release(this.#clock.monotonic())
    this.#idle.push(connection)
  }

  #close(failure: LinkFailure): void {
    if (this.#closed) return
    this.#closed = failure
    this.#gone.resolve(undefined)
    for (const call of this.#calls.all()) call.fail(failure.kind, failure.detail)
    for (const connection of this.#connections) connection.close()
    this.#events.onClose(failure)
  }
}
