import type { ProcessSpec, Sandbox } from '../backends/index.ts'
import type { ContractChoice } from '../core/index.ts'
import type { HeaderBlock } from './header-block.ts'

/** How the platform talks to the code in an instance; one implementation for each way. */
export interface Contract {
  readonly name: string
  readonly capabilities: ContractCapabilities
  /**
   * What an instance needs, and the conversation with it then. `start`: the version that it is started for; absent for a generic
   * instance, of which only contracts with `lateLoad` know.
   */
  prepare(start?: StartSpec): Preparation | Promise<Preparation>
}

/** What functions behind this contract can do. */
export interface ContractCapabilities {
  /** Bodies flow both ways while they are made; else they are complete before they are passed on. */
  readonly streaming: boolean
  /** One process may hold several calls at once. */
  readonly concurrency: boolean
  readonly webSocket: boolean
  /** A generic instance can be given its code later. Without it, each version's processes are started for it. */
  readonly lateLoad: boolean
  /** Calls that one process serves in its life. @default no limit */
  readonly callsMax?: number
  /** Calls at once in one process, for functions that say nothing. @default that of all functions */
  readonly concurrencyDefault?: number
}

/** The version that a process is started for, before it runs. */
export interface StartSpec extends LoadSpec {
  readonly choice: ContractChoice
  readonly cpuMillicores: number
  /** A port that is free where sandboxes share theirs; else `undefined`: every port is free. */
  readonly port: number | undefined
  /** What runs is a container image, which knows by itself where its parts are; `entry` says only which it is. @default false */
  readonly isImage?: boolean
}

/** One instance to come. Exactly one of `open` and `discard` is called. */
export interface Preparation {
  /** Absent: the process is a shim that waits for its orders on the channel. */
  readonly process?: ProcessSpec
  /** Its stdout is the contract's and not a log. */
  readonly takesStdout?: boolean
  /** Takes over the running instance. Nothing is sent before `load`. */
  open(access: ContractAccess, events: LinkEvents): Link
  /** It never came to run. */
  discard?(): void
}

/** What a contract may use of a sandbox. */
export type ContractAccess = Pick<
  Sandbox,
  'channel' | 'connect' | 'listen' | 'stdin' | 'stdout' | 'begin' | 'terminate' | 'exited' | 'isEnding'
>

/** What an instance tells outside of calls. */
export interface LinkEvents {
  /** Output of the code. `call` is the number given to `invoke`'s handle, 0 outside any call. */
  onLog(call: number, stream: 'stdout' | 'stderr', text: string): void
  /** The stream is over; calls that ran have been failed with `reason` first. Told once. */
  onClose(reason: LinkFailure): void
}

/** Why a link ended: the other side went away, or broke the contract (then `detail` says how). */
export interface LinkFailure {
  readonly kind: 'closed' | 'violation'
  readonly detail: string
}

/** What an instance needs to become one version of one function. */
export interface LoadSpec {
  /** Where the instance sees the code. @default /function */
  readonly directory?: string
  readonly entry: string
  readonly config: Readonly<Record<string, string>>
  readonly secrets: Readonly<Record<string, string>>
  readonly function: {
    readonly project: string
    readonly app: string
    readonly name: string
    readonly version: number
  }
  readonly instance: string
  readonly concurrency: number
  readonly memoryMiB: number
  readonly timeoutMs: number
}

/** The conversation with one instance. */
export interface Link {
  /** Resolves when the shim has said HELLO. Rejects with BACKEND_FAILED when the stream ends before. */
  readonly ready: Promise<void>
  /**
   * Resolves when the code is loaded. Rejects with FUNCTION_LOAD_FAILED: with `lateLoad` its message is the code's own, its stack in
   * `cause`; without, the message is ours, names the function and may be shown to callers.
   */
  load(spec: LoadSpec): Promise<{ initMs: number }>
  /** Starts a call. All that follows is said to `sink`, exactly one of `onEnd` and `onFail` last. */
  invoke(head: CallHead, sink: CallSink): CallHandle
  /** Asks the instance to finish what runs and exit. */
  drain(): void
  /** Ends the stream at once; running calls fail. */
  destroy(): void
  /** Resolves with true when the instance answers within `timeoutMs`. */
  ping(timeoutMs: number): Promise<boolean>
}

/** A call, as the code gets it. */
export interface CallHead {
  readonly id: string
  readonly method: string
  /** Path and query as the function sees them. */
  readonly target: string
  /** Name, value, name, value …; names in lower case; hop-by-hop headers are gone. */
  readonly headers: readonly string[]
  /** More headers, made ready before. */
  readonly block?: HeaderBlock | undefined
  /** Epoch ms. */
  readonly deadline: number
  /** A body that is complete already, or `undefined` when it follows through the handle. `null`: no body. */
  readonly body: Uint8Array | null | undefined
  readonly webSocket?: boolean
}

/** Takes the answer of one call. Either `onEnd` or `onFail` is the last it hears. */
export interface CallSink {
  /**
   * Checked and without hop-by-hop headers. Where `content-length` is among them, exactly that many bytes follow (none after HEAD,
   * 204 and 304), or the call fails.
   */
  onHead(status: number, headers: readonly string[]): void
  /** A piece of the answer. The receiver calls `handle.consumed(n)` as it passes bytes on: that is the back-pressure. */
  onData(chunk: Uint8Array): void
  /** A WebSocket message. The receiver calls `handle.consumed(data.length)` once for each as it passes it on. */
  onMessage?(data: Uint8Array, text: boolean): void
  /** The request's side has room again after `write` returned false. */
  onDrain?(): void
  /** The answer is complete. For a WebSocket: the close frame's payload. */
  onEnd(close?: Uint8Array): void
  /** The call failed: the code's own error (`function`), or the link broke. Nothing follows. */
  onFail(failure: CallFailure): void
}

/** Why a call has no answer. */
export interface CallFailure {
  /** `error`: the code said so; `closed`: the instance went away; `violation`: it broke the contract. */
  readonly kind: 'error' | 'closed' | 'violation'
  readonly message: string
  /** Already written to the call's log through `LinkEvents.onLog`. */
  readonly stack?: string
}

/** The caller's end of one call. */
export interface CallHandle {
  readonly number: number
  /** Sends a piece of the request's body; false: wait for `onDrain`. */
  write(chunk: Uint8Array): boolean
  /** Sends a whole WebSocket message; false: wait for `onDrain`. */
  writeMessage(data: Uint8Array, text: boolean): boolean
  /** Ends the request's side; for a WebSocket, `close` is the close frame's payload. */
  end(close?: Uint8Array): void
  /** `bytes` of the answer have been passed on; more may come. */
  consumed(bytes: number): void
  /**
   * Gives up. The sink hears nothing but, when the code has really ended, `onFail` or `onEnd`: the slot is free then.
   */
  cancel(reason: 'client' | 'deadline' | 'shutdown'): void
}
