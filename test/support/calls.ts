import type { AtelierError, Invocation, TableFunction } from '../../src/core/index.ts'
import {
  createInvoker,
  type InvokeHandle,
  type InvokeRequest,
  type InvokerOptions,
  type InvokeSink,
} from '../../src/invoker/index.ts'
import { type FleetOptions, TestFleet } from './fleet.ts'

/** A caller that notes what it hears. */
export class Caller implements InvokeSink {
  readonly heard: string[] = []
  status: number | undefined
  headers: readonly string[] = []
  body = ''
  error: AtelierError | undefined
  ends = 0
  drains = 0
  handle!: InvokeHandle

  onHead(status: number, headers: readonly string[]): void {
    this.heard.push('head')
    this.status = status
    this.headers = headers
  }

  onData(chunk: Uint8Array): void {
    this.heard.push('data')
    this.body += Buffer.from(chunk).toString()
  }

  onMessage(data: Uint8Array): void {
    this.heard.push(`message ${Buffer.from(data).toString()}`)
  }

  onDrain(): void {
    this.drains++
  }

  onEnd(): void {
    this.heard.push('end')
    this.ends++
  }

  onFail(error: AtelierError): void {
    this.heard.push('fail')
    this.error = error
    this.ends++
  }
}

/** An invoker over a test fleet. */
export class TestInvoker extends TestFleet {
  readonly records: Invocation[] = []
  readonly invoker: ReturnType<typeof createInvoker>

  constructor(options: FleetOptions & Partial<InvokerOptions> = {}) {
    super(options)
    this.invoker = createInvoker({
      table: this.table,
      pool: this.pool,
      observer: { onInvocation: record => this.records.push(record), onLog: line => this.logs.push(line) },
      clock: this.clock,
      ...options,
    })
  }

  call(target: TableFunction, request: Partial<InvokeRequest> = {}): Caller {
    const caller = new Caller()
    caller.handle = this.invoker.invoke(
      {
        target,
        qualifier: undefined,
        trigger: 'test',
        method: 'GET',
        path: '/',
        headers: ['host', 'example.org'],
        body: null,
        ...request,
      },
      caller,
    )
    return caller
  }

  /** A call that is run to its end. */
  async called(target: TableFunction, request: Partial<InvokeRequest> = {}): Promise<Caller> {
    const caller = this.call(target, request)
    await this.settle()
    return caller
  }
}
