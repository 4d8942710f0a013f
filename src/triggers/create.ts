import type { AsyncCalls } from '../async/index.ts'
import {
  AtelierError,
  asAtelierError,
  type Clock,
  type EventTrigger,
  type FunctionTable,
  newId,
  type TableChange,
  type TriggerStatus,
} from '../core/index.ts'
import type { Invoker } from '../invoker/index.ts'
import type { Kinds } from './catalogue.ts'
import { HostedTrigger, type HostParts } from './host.ts'
import type { KeptState, TriggerStates } from './states.ts'
import type { StoredRequests } from './stored-requests.ts'
import { TokenIndex } from './tokens.ts'
import type { Triggers } from './triggers.ts'
import { WriteBehind } from './write-behind.ts'

const START_BATCH = 500 // triggers that are started before others get a turn
const PAUSED_RETRY_S = 60

/** What `createTriggers` stands on. */
export interface TriggersOptions {
  readonly table: FunctionTable
  readonly kinds: Kinds
  readonly async: AsyncCalls
  readonly invoker: Invoker
  readonly states: TriggerStates
  /** What came to URLs of triggers: it goes with them. */
  readonly requests?: Pick<StoredRequests, 'forget' | 'triggerIds'>
  readonly clock: Clock
  /** Whether this node runs what only one may. @default always */
  readonly isLeader?: () => boolean
  readonly onProblem: (message: string, cause: unknown) => void
}

/** Runs the table's event triggers; see `Triggers`. */
export function createTriggers(options: TriggersOptions): Triggers {
  return new RunningTriggers(options)
}

class RunningTriggers implements Triggers {
  readonly #options: TriggersOptions
  readonly #parts: HostParts
  readonly #hosted = new Map<string, HostedTrigger>()
  readonly #tokens = new TokenIndex()
  /** What a trigger is doing: its changes happen one after the other. */
  readonly #turns = new Map<string, Promise<void>>()
  /** Whether each project is enabled, as the triggers were told: other changes of it do not concern them. */
  readonly #toldEnabled = new Map<string, boolean>()
  #kept: ReadonlyMap<string, KeptState> = new Map()
  #unsubscribe: (() => void) | undefined
  #isClosed = false
  #closing: Promise<void> | undefined

  constructor(options: TriggersOptions) {
    const { table, async, invoker, clock, states, onProblem } = options
    this.#options = options
    const read = (id: string): KeptState | undefined => this.#hosted.get(id)?.kept
    const written = new WriteBehind({ states, clock, read, onProblem })
    this.#parts = { table, async, invoker, clock, written, isLeader: options.isLeader ?? (() => true) }
  }

  async start(): Promise<void> {
    const { table, states, requests } = this.#options
    this.#kept = await states.load()
    const recorded = (await requests?.triggerIds()) ?? []
    await requests?.forget(recorded.filter(id => !table.eventTriggers.has(id)))
    for (const [id, { enabled }] of table.projects) this.#toldEnabled.set(id, enabled)
    this.#unsubscribe = table.subscribe(changes => this.#follow(changes))
    for (const id of this.#kept.keys()) if (!table.eventTriggers.has(id)) this.#parts.written.touch(id)
    let begun = 0
    for (const [id, trigger] of table.eventTriggers) {
      this.#change(id, trigger)
      if (++begun % START_BATCH === 0) await new Promise(resolve => setImmediate(resolve))
    }
  }

  async lead(): Promise<void> {
    const kept = await this.#options.states.load()
    for (const [id, hosted] of this.#hosted)
      if (hosted.running?.leads) {
        hosted.known(kept.get(id))
        this.#change(id, hosted.trigger)
      }
  }

  status(id: string): TriggerStatus {
    return (
      this.#hosted.get(id)?.status() ?? {
        state: 'active',
        accepted: 0,
        filtered: 0,
        duplicates: 0,
        failed: 0,
      }
    )
  }

  async fire(id: string, data?: Parameters<Triggers['fire']>[1]) {
    const hosted = this.#need(id)
    const { clock, kinds } = this.#options
    const kind = await kinds.load(hosted.trigger.kind)
    const now = clock.now()
    const sample = kind.sample(hosted.trigger, now)
    const event = {
      ...sample,
      id: `test-${newId(now)}`,
      ...(data && { contentType: data.contentType, data: data.body }),
    }
    const [accepted] = await hosted.deliver([event])
    return accepted!
  }

  async seek(id: string, to: Parameters<Triggers['seek']>[1]): Promise<void> {
    const { running, trigger } = this.#need(id)
    if (!running && trigger.paused)
      throw new AtelierError('CONFLICT', `Trigger "${trigger.name}" is paused: resume it first.`)
    if (!running?.seek) throw cannot(trigger, 'cannot go back')
    await running.seek(to)
  }

  async requests(id: string, limit: number) {
    const { trigger } = this.#need(id)
    const kind = await this.#options.kinds.load(trigger.kind)
    if (!kind.requests) throw cannot(trigger, 'records no requests')
    return kind.requests(trigger, limit)
  }

  async replay(id: string, requestId: string) {
    const hosted = this.#need(id)
    const kind = await this.#options.kinds.load(hosted.trigger.kind)
    if (!kind.replay) throw cannot(hosted.trigger, 'records no requests')
    return kind.replay(hosted.trigger, requestId, hosted)
  }

  hookProject(token: string): string | undefined {
    const id = this.#tokens.find(token, this.#options.clock.now())
    return id === undefined ? undefined : this.#hosted.get(id)?.trigger.projectId
  }

  async receiveHook(token: string, request: Parameters<Triggers['receiveHook']>[1]) {
    const id = this.#tokens.find(token, this.#options.clock.now())
    const hosted = id === undefined ? undefined : this.#hosted.get(id)
    if (!hosted) throw new AtelierError('NOT_FOUND', 'There is nothing at this address.')
    await this.#turns.get(hosted.trigger.id) // it may be starting
    const { running, trigger } = hosted
    if (!running?.receive)
      throw new AtelierError('UNAVAILABLE', `Trigger "${trigger.name}" takes nothing now: try again later.`, {
        retryAfterS: PAUSED_RETRY_S,
      })
    return running.receive(request)
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    this.#isClosed = true
    this.#unsubscribe?.()
    await Promise.all(this.#turns.values())
    await Promise.all([...this.#hosted.values()].map(each => this.#stop(each)))
    await this.#parts.written.flush()
  }

  #need(id: string): HostedTrigger {
    const hosted = this.#hosted.get(id)
    if (!hosted) throw new AtelierError('NOT_FOUND', 'There is no such trigger any more.')
    return hosted
  }

  #follow(changes: readonly TableChange[]): void {
    for (const change of changes)
      if (change.kind === 'eventTrigger') this.#change(change.id, change.value)
      else if (change.kind === 'project' && this.#toldEnabled.get(change.id) !== change.value?.enabled) {
        if (change.value) this.#toldEnabled.set(change.id, change.value.enabled)
        else this.#toldEnabled.delete(change.id)
        for (const { trigger } of this.#hosted.values())
          if (trigger.projectId === change.id) this.#change(trigger.id, trigger)
      }
  }

  /** A trigger is new, another one, or gone (`undefined`). */
  #change(id: string, trigger: EventTrigger | undefined): void {
    let hosted = this.#hosted.get(id)
    if (!trigger) {
      this.#hosted.delete(id)
      this.#tokens.delete(id)
      this.#parts.written.touch(id)
    } else {
      if (!hosted) {
        hosted = new HostedTrigger(this.#parts, trigger, this.#kept.get(id))
        this.#hosted.set(id, hosted)
      }
      hosted.trigger = trigger
      this.#tokens.set(id, trigger.tokens)
    }
    if (!hosted) return
    const one = hosted
    const turn = (this.#turns.get(id) ?? Promise.resolve()).then(() => this.#restart(one))
    this.#turns.set(id, turn)
    void turn.then(() => {
      if (this.#turns.get(id) === turn) this.#turns.delete(id)
    })
  }

  /** Never rejects: what goes wrong is told as the trigger's last error. */
  async #restart(hosted: HostedTrigger): Promise<void> {
    if (hosted.running) await this.#stop(hosted)
    const { trigger } = hosted
    const { kinds, table, requests } = this.#options
    if (this.#isClosed) return
    if (this.#hosted.get(trigger.id) !== hosted) return requests?.forget([trigger.id])
    if (trigger.paused) return
    if (table.projects.get(trigger.projectId)?.enabled === false) return
    hosted.renew()
    try {
      const kind = await kinds.load(trigger.kind)
      if (hosted.trigger === trigger && !this.#isClosed) hosted.running = kind.start(trigger, hosted)
    } catch (error) {
      hosted.failed(asAtelierError(error))
      this.#options.onProblem(`trigger ${trigger.id} could not be started`, error)
    }
  }

  async #stop(hosted: HostedTrigger): Promise<void> {
    try {
      await hosted.stop(this.#isClosed ? 'closing' : 'changed')
    } catch (error) {
      this.#options.onProblem(`trigger ${hosted.trigger.id} did not stop as it should`, error)
    }
  }
}

function cannot(trigger: EventTrigger, what: string): AtelierError {
  return new AtelierError('CONFLICT', `Trigger "${trigger.name}" is of kind ${trigger.kind}, which ${what}.`)
}
