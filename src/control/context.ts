import type { Transaction } from 'kysely'
import type { Builder } from '../builder/index.ts'
import {
  AtelierError,
  type Clock,
  type FunctionTable,
  type Principal,
  type TableChange,
} from '../core/index.ts'
import type { Environment } from '../environments/index.ts'
import { type Action, type IdentityProvider, may } from '../identity/index.ts'
import type { News, Nodes } from '../nodes/index.ts'
import type { Store, Tables } from '../store/index.ts'
import { Cursors } from './cursor.ts'
import { EntryReader, Touched } from './publish.ts'
import { ReleasedBundles } from './released.ts'
import type { SecretKeys } from './sealing.ts'
import type { ImageSource, IsolationSource } from './sources.ts'
import type { TriggerCatalogue } from './trigger-catalogue.ts'
import { Turns } from './turns.ts'

const COMMITS_WAITING_MAX = 5_000 // each waits some milliseconds

/** What `createControl` stands on. */
export interface ControlOptions {
  readonly store: Store
  readonly builder: Builder
  /** Where the data plane reads what is published here. */
  readonly table: FunctionTable
  readonly clock: Clock
  /** See `openSecretKeys`. */
  readonly secretsKey: SecretKeys
  readonly environments: readonly Environment[]
  /** Where container images come from. Without it there are none here. */
  readonly images?: ImageSource
  /** Well-known sample images are not pulled: the platform's own functions stand in for them. @default false */
  readonly standIns?: boolean
  /** The kinds of event triggers. Without it there are none here. */
  readonly triggers?: TriggerCatalogue
  /** Where the router answers, without a slash at the end. */
  routerUrl(): string
  /** Versions of a function that are kept though nothing points to them. */
  readonly versionsKept: number
  /** Whether sandboxes can have `outbound` network here. */
  readonly networkAvailable: boolean
  /** How strongly code can be kept apart here. Without it: as the machine does it, and no stronger. */
  readonly isolation?: IsolationSource
  /** The most memory that one instance may have here. @default no limit but the field's own */
  readonly memoryMiBMax?: number
  /** Told when a project was changed, so that nobody goes on with what it allowed before. */
  readonly identity?: Pick<IdentityProvider, 'forgetProject' | 'lending'>
  /** Told of each commit, where other nodes share the store. */
  readonly nodes?: Pick<Nodes, 'tell'>
}

/** What all operations share. */
export class Context {
  readonly options: ControlOptions
  readonly store: Store
  readonly clock: Clock
  readonly cursors: Cursors
  readonly releasedBundles = new ReleasedBundles()
  readonly #entries: EntryReader
  readonly #turns = new Turns(COMMITS_WAITING_MAX)

  constructor(options: ControlOptions) {
    this.options = options
    this.store = options.store
    this.clock = options.clock
    this.#entries = new EntryReader(options.secretsKey)
    const oldest = [...options.secretsKey.values()].at(-1)
    if (!oldest) throw new Error('there is always a key')
    this.cursors = new Cursors(oldest)
  }

  /**
   * One transaction, and then its changes in the function table. Nothing comes between the two: otherwise the older of
   * two changes could be published last.
   */
  async commit<T>(work: (tx: Transaction<Tables>, touched: Touched) => Promise<T>): Promise<T> {
    return this.#turns.take('commit', async () => {
      const { value, changes } = await this.store.transaction(async tx => {
        const touched = new Touched()
        const result = await work(tx, touched)
        if (!touched.isEmpty) await this.options.nodes?.tell(tx, touched.note())
        return { value: result, changes: await this.#entries.changes(tx, touched) }
      })
      this.#publish(changes)
      return value
    })
  }

  /** Everything that is in the store, into the table. */
  async loadTable(): Promise<void> {
    await this.#turns.take('commit', async () => {
      const all = await this.#entries.everything(this.store.db)
      this.#publish(await this.#entries.changes(this.store.db, all))
    })
  }

  /** What other nodes have committed, into the table. */
  async refresh({ notes, missed }: News): Promise<void> {
    await this.#turns.take('commit', async () => {
      // In a transaction: between two reads, others would commit.
      const changes = await this.store.transaction(async tx => {
        const touched = missed ? await this.#entries.everything(tx) : new Touched()
        if (missed) touched.addTable(this.options.table)
        for (const note of notes) touched.add(note)
        return touched.isEmpty ? [] : this.#entries.changes(tx, touched)
      })
      this.#publish(changes)
    })
  }

  #publish(changes: readonly TableChange[]): void {
    if (changes.length === 0) return
    this.releasedBundles.note(this.options.table, changes, this.clock.now())
    this.options.table.publish(changes)
  }
}

/** Throws FORBIDDEN unless the policy lets this principal do that in its own project. */
export function need(by: Principal, action: Action): void {
  if (may(by, action)) return
  const roles = by.roles.join(', ') || 'none'
  throw new AtelierError(
    'FORBIDDEN',
    action === 'operate'
      ? 'Only an operator (role admin) may do this.'
      : `This needs the right to ${action} in project "${by.projectName}", and your role there is ${roles}.`,
  )
}

/** Throws PRECONDITION_FAILED when the caller has seen another revision than there is. */
export function checkRevision(what: string, revision: number, expected: number | undefined): void {
  if (expected === undefined || expected === revision) return
  throw new AtelierError(
    'PRECONDITION_FAILED',
    `${what} has changed since it was read (it is at revision ${revision}, not ${expected}): read it again.`,
  )
}
