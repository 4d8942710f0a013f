import type { EventTriggerInput, EventTriggerView } from '../../src/control/index.ts'
import { createAddressPolicy, type Principal } from '../../src/core/index.ts'
import { type EventStore, openEventStore } from '../../src/store/index.ts'
import {
  createTriggers,
  type KindLoaders,
  Kinds,
  kindLoaders,
  type StoredRequests,
  storedRequests,
  storedStates,
  type Triggers,
} from '../../src/triggers/index.ts'
import { InProcessInvoker } from '../api/invoker.ts'
import { CallLog } from '../support/async-calls.ts'
import { ControlFixture } from '../support/control.ts'

/** Triggers of a real control plane and event store, over a log of calls and a clock that is moved by hand. */
export class TriggersFixture {
  readonly control: ControlFixture
  readonly kinds: Kinds
  readonly calls: CallLog
  readonly invoker = new InProcessInvoker()
  readonly problems: string[] = []
  isLeader = true
  store!: EventStore
  requests!: StoredRequests
  triggers!: Triggers
  by!: Principal

  private constructor(control: ControlFixture, kinds: Kinds) {
    this.control = control
    this.kinds = kinds
    this.calls = new CallLog(() => control.clock.now())
  }

  /** With the function `shop/cart` in the project `ann`. */
  static async open(loaders?: KindLoaders): Promise<TriggersFixture> {
    let made: TriggersFixture | undefined
    const parts = {
      addresses: createAddressPolicy(),
      get requests() {
        return made!.requests
      },
    }
    const kinds = new Kinds(loaders ?? kindLoaders(parts))
    const fixture = new TriggersFixture(await ControlFixture.open({ triggers: kinds }), kinds)
    made = fixture
    fixture.by = await fixture.control.member('ann')
    await fixture.control.deploy(fixture.by, 'a')
    await fixture.startTriggers()
    return fixture
  }

  get clock() {
    return this.control.clock
  }

  async startTriggers(): Promise<void> {
    this.store = await openEventStore({ url: `${this.control.folder}/events.db` })
    this.requests = storedRequests({
      store: this.store,
      clock: this.clock,
      onProblem: (message, cause) => this.problems.push(`${message}: ${String(cause)}`),
    })
    this.triggers = createTriggers({
      table: this.control.table,
      kinds: this.kinds,
      async: this.calls.engine,
      invoker: this.invoker,
      states: storedStates(this.store, this.clock),
      requests: this.requests,
      clock: this.clock,
      isLeader: () => this.isLeader,
      onProblem: (message, cause) => this.problems.push(`${message}: ${String(cause)}`),
    })
    await this.triggers.start()
    await this.settle()
  }

  async stopTriggers(): Promise<void> {
    await this.triggers.close()
    await this.requests.close()
    await this.store.close()
  }

  /** A trigger of `shop/cart`, running. */
  async create(
    name: string,
    config: object,
    rest: Partial<EventTriggerInput> = {},
  ): Promise<EventTriggerView> {
    const input = {
      kind: 'schedule' as const,
      app: 'shop',
      function: 'cart',
      ...rest,
      name,
      config: { ...config },
    }
    const view = await this.control.control.createTrigger(this.by, input)
    await this.settle()
    return view as EventTriggerView
  }

  /** Moves the clock on in steps, and lets everything that is due happen. */
  async advance(ms: number, stepMs = ms): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.clock.advance(Math.min(stepMs, left))
      await this.settle()
    }
  }

  /** Lets promises and the turns of the event loop run. */
  async settle(): Promise<void> {
    for (let i = 0; i < 5; i++) await new Promise(resolve => setImmediate(resolve))
  }

  /** Planned times of the calls that were accepted, in their order. */
  get plannedTimes(): string[] {
    return this.calls.taken.map(({ call }) => headerOf(call.headers, 'atelier-event-time') ?? '')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopTriggers()
    await this.control.dispose()
  }
}

export function headerOf(headers: readonly string[], name: string): string | undefined {
  const at = headers.findIndex((each, i) => i % 2 === 0 && each === name)
  return at < 0 ? undefined : headers[at + 1]
}
