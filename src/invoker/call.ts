import type { HeaderBlock } from '../contracts/index.ts'
import type { AtelierError, TableFunction } from '../core/index.ts'

export type { CallObserver } from '../telemetry/index.ts'

/** The one way a function is called. Routers, triggers and dialects all come through here. */
export interface Invoker {
  /**
   * Starts a call; never throws. Everything that follows is said to `sink`. Returns at once; admission, the wait
   * for a slot and the cold start happen behind the handle.
   */
  invoke(request: InvokeRequest, sink: InvokeSink): InvokeHandle
}

/** A call to make. */
export interface InvokeRequest {
  readonly target: TableFunction
  /** Version number or alias name; `undefined` is the live alias. */
  readonly qualifier: string | undefined
  /** What caused the call: `http`, `invoke`, `schedule` … */
  readonly trigger: string
  /** Of the trigger, where one did. */
  readonly triggerName?: string | undefined
  readonly method: string
  /** Path and query as the function sees them. */
  readonly path: string
  /** Name, value, …; lower-case names, without hop-by-hop headers. */
  readonly headers: readonly string[]
  /** More headers, made ready before; no `traceparent` among them. */
  readonly block?: HeaderBlock
  /** Complete body, `null` for none, `undefined` when it is written to the handle. */
  readonly body: Uint8Array | null | undefined
  readonly webSocket?: boolean
  readonly traceparent?: string
  /** For an attempt of a call that was accepted before. */
  readonly attempt?: Attempt
}

/** Which attempt of an asynchronous call this is. */
export interface Attempt {
  /** The call's id, which is its invocation id in every attempt. */
  readonly id: string
  /** From 1. The function reads it in the header `atelier-attempt`. */
  readonly number: number
  /** How long it lay in the durable queue after it was due. */
  readonly heldMs: number
}

/** Takes the answer of one call: `onEnd` or `onFail` is the last it hears, and after `cancel` neither comes. */
export interface InvokeSink {
  onHead(status: number, headers: readonly string[]): void
  onData(chunk: Uint8Array): void
  onMessage?(data: Uint8Array, text: boolean): void
  /** Room for more of the request after `write` returned false. */
  onDrain?(): void
  onEnd(close?: Uint8Array): void
  /** Before `onHead`: answer with this error. After it: break the answer off. */
  onFail(error: AtelierError): void
}

/** The caller's end of one call. What is written after its end is dropped. */
export interface InvokeHandle {
  readonly id: string
  /** The version that serves it; known once resolved, `undefined` when it was refused before. */
  readonly version: number | undefined
  write(chunk: Uint8Array): boolean
  writeMessage(data: Uint8Array, text: boolean): boolean
  end(close?: Uint8Array): void
  consumed(bytes: number): void
  /** The caller left. */
  cancel(): void
}
