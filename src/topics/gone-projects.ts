import type { Clock, FunctionTable } from '../core/index.ts'
import type { EventStore } from '../store/index.ts'

/** A project this young may be missing from a table that another node has not told of it yet. */
const SURELY_TOLD_MS = 3_600_000

export interface GoneProjectsOptions {
  readonly store: EventStore
  readonly clock: Clock
  /** Loaded already. */
  readonly table: Pick<FunctionTable, 'projects' | 'subscribe'>
  /** Topics were deleted, their messages not yet. */
  readonly onDeleted: (topicIds: readonly string[]) => void
  readonly onProblem: (message: string, cause: unknown) => void
}

/** Deletes the topics of a project with it; and those that a server left, which ended in between. */
export class GoneProjects {
  readonly #options: GoneProjectsOptions
  readonly #unsubscribe: () => void
  #turn: Promise<void>

  constructor(options: GoneProjectsOptions) {
    this.#options = options
    this.#turn = this.#told(this.#sweep())
    this.#unsubscribe = options.table.subscribe(changes => {
      const gone = changes.filter(({ kind, value }) => kind === 'project' && value === undefined)
      if (gone.length === 0) return
      this.#turn = this.#turn.then(() => this.#told(this.#forget(gone.map(({ id }) => id))))
    })
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    await this.#turn
  }

  async #sweep(): Promise<void> {
    const { store, table, clock } = this.#options
    const rows = await store.db
      .selectFrom('topics')
      .select('project_id')
      .distinct()
      .where('created_at', '<', clock.now() - SURELY_TOLD_MS)
      .execute()
    await this.#forget(rows.map(row => row.project_id).filter(id => !table.projects.has(id)))
  }

  async #forget(projectIds: readonly string[]): Promise<void> {
    const { store, onDeleted } = this.#options
    for (const projectId of projectIds) {
      const rows = await store.db
        .selectFrom('topics')
        .select('id')
        .where('project_id', '=', projectId)
        .execute()
      await store.db.deleteFrom('topics').where('project_id', '=', projectId).execute()
      onDeleted(rows.map(row => row.id))
    }
  }

  /** What went wrong is told, and is done by the next server that starts. */
  #told(work: Promise<void>): Promise<void> {
    return work.catch((error: unknown) =>
      this.#options.onProblem('topics of deleted projects could not be removed', error),
    )
  }
}
