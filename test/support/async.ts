import {
  type AsyncCalls,
  type AsyncOptions,
  createAsyncCalls,
  type NewAsyncCall,
} from '../../src/async/index.ts'
import {
  ASYNC_SETTINGS_DEFAULT,
  type AsyncCall,
  type AsyncSettings,
  AtelierError,
  type ErrorCode,
  FunctionTable,
  type TableFunction,
} from '../../src/core/index.ts'
import type { InvokeHandle, InvokeRequest, Invoker, InvokeSink } from '../../src/invoker/index.ts'
import type { EventStore } from '../../src/store/index.ts'
import { FakeClock } from './clock.ts'
import { aFunction, aVersion } from './fleet.ts'

/** An attempt as the function sees it. */
export class ScriptedAttempt implements InvokeHandle {
  readonly request: InvokeRequest
  readonly sink: InvokeSink
  readonly version = 1
  isCancelled = false
  isOver = false
  consumedBytes = 0

  constructor(request: InvokeRequest, sink: InvokeSink) {
    this.request = request
    this.sink = sink
  }

  get id(): string {
    return this.request.attempt!.id
  }

  get body(): string {
    return Buffer.from(this.request.body ?? []).toString()
  }

  answer(body = 'ok', status = 200, headers: readonly string[] = ['content-type', 'text/plain']): void {
    if (this.isOver || this.isCancelled) return
    this.isOver = true
    this.sink.onHead(status, headers)
    if (body !== '') this.sink.onData(Buffer.from(body))
    this.sink.onEnd()
  }

  fail(code: ErrorCode, message = `failed with ${code}`): void {
    if (this.isOver || this.isCancelled) return
    this.isOver = true
    this.sink.onFail(new AtelierError(code, message))
  }

  cancel(): void {
    this.isCancelled = true
  }

  consumed(bytes: number): void {
    this.consumedBytes += bytes
  }

  write(): boolean {
    return true
  }

  writeMessage(): boolean {
    return true
  }

  end(): void {}
}

/** An invoker whose functions do what the test says. */
export class ScriptedInvoker implements Invoker {
  readonly attempts: ScriptedAttempt[] = []
  /** What is done with each new attempt; by default nothing, it runs on. */
  script: (attempt: ScriptedAttempt) => void = () => {}

  invoke(request: InvokeRequest, sink: InvokeSink): InvokeHandle {
    const attempt = new ScriptedAttempt(request, sink)
    this.attempts.push(attempt)
    queueMicrotask(() => this.script(attempt))
    return attempt
  }

  get running(): readonly ScriptedAttempt[] {
    return this.attempts.filter(each => !each.isOver && !each.isCancelled)
  }

  of(id: string): readonly ScriptedAttempt[] {
    return this.attempts.filter(each => each.id === id)
  }
}

/** A queue over a store, with functions `f`, `g` … of project `p`, whose time stands still. */
export class TestQueue {
  readonly store: EventStore
  readonly clock: FakeClock
  readonly table: FunctionTable
  readonly invoker = new ScriptedInvoker()
  readonly problems: string[] = []
  readonly ended: AsyncCall[] = []
  calls!: AsyncCalls
  readonly #options: Partial<AsyncOptions>

  private constructor(store: EventStore, options: Partial<AsyncOptions>) {
    this.store = store
    this.clock = (options.clock as FakeClock | undefined) ?? new FakeClock()
    this.table = options.table ?? new FunctionTable()
    this.#options = options
  }

  static async open(
    store: EventStore,
    options: Partial<AsyncOptions> & { readonly settings?: SettingsChange } = {},
  ): Promise<TestQueue> {
    const { settings, ...rest } = options
    const queue = new TestQueue(store, rest)
    if (!options.table) {
      queue.table.publish([{ kind: 'project', id: 'p', value: { id: 'p', name: 'p', enabled: true } }])
      queue.publish('f', settings)
      queue.publish('g', settings)
    }
    await queue.start()
    return queue
  }

  async start(): Promise<void> {
    this.calls = await createAsyncCalls({
      store: this.store,
      invoker: this.invoker,
      table: this.table,
      clock: this.clock,
      random: () => 0.5,
      onProblem: (message, cause) =>
        this.problems.push(`${message} ${cause instanceof Error ? cause.stack : ''}`),
      onEnded: call => this.ended.push(call),
      ...this.#options,
    })
  }

  publish(name: string, settings: SettingsChange = {}, project = 'p'): TableFunction {
    const value = aTarget(name, settings, project)
    this.table.publish([{ kind: 'function', id: value.id, value }])
    return value
  }

  /** One call of a function; resolves with its id. */
  async accept(change: Partial<NewAsyncCall> & { name?: string } = {}): Promise<string> {
    const [accepted] = await this.calls.accept([aCall(change)])
    return accepted!.id
  }

  get(id: string): Promise<AsyncCall> {
    return this.calls.get('p', id)
  }

  /** Lets everything happen that needs no time; the store's thread included. */
  async settle(): Promise<void> {
    for (let i = 0; i < 6; i++) {
      await this.store.transaction(tx => tx.selectFrom('async_nodes').select('id').execute(), {
        relaxed: true,
      })
      await new Promise(resolve => setImmediate(resolve))
    }
  }

  async pass(ms: number, stepMs = ms): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.clock.advance(Math.min(stepMs, ms - passed))
      await this.settle()
    }
  }

  /** Waits until `isSo`, however long this machine takes. */
  async until(isSo: () => boolean | Promise<boolean>): Promise<void> {
    for (let i = 0; !(await isSo()); i++) {
      if (i > 20_000) throw new Error('what the test waits for does not happen')
      await new Promise(resolve => setImmediate(resolve))
      if (i % 10 === 9) await new Promise(resolve => setTimeout(resolve, 1))
    }
  }

  /** As if the process were killed: nothing is given back, nothing more is written. */
  abandon(): void {
    this.invoker.script = () => {}
    for (const each of this.invoker.attempts) each.isOver = true
  }
}

export type SettingsChange = Partial<Omit<AsyncSettings, 'retry'>> & {
  readonly retry?: Partial<AsyncSettings['retry']>
}

export function aTarget(
  name: string,
  { retry, ...change }: SettingsChange = {},
  project = 'p',
): TableFunction {
  return {
    ...aFunction([aVersion({ project, name })]),
    async: { ...ASYNC_SETTINGS_DEFAULT, ...change, retry: { ...ASYNC_SETTINGS_DEFAULT.retry, ...retry } },
  }
}

export function aCall({
  name = 'f',
  ...change
}: Partial<NewAsyncCall> & { name?: string } = {}): NewAsyncCall {
  return {
    projectId: 'p',
    functionId: `p/${name}`,
    trigger: 'test',
    method: 'POST',
    path: '/',
    headers: ['content-type', 'text/plain'],
    body: Buffer.from('hello'),
    ...change,
  }
}
