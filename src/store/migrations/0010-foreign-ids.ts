import type { Migration } from './migration.ts'
import { type Reference, widen } from './widen.ts'

const PROJECT_ID_CHARACTERS = 64
const HOLDERS = ['apps', 'functions', 'packages', 'triggers', 'secrets', 'event_triggers', 'bundles']
const REFERRING = [
  'apps',
  'packages',
  'secrets',
  'bundles',
  'grants',
  'trusts',
  'application_credentials',
  'sessions',
]

/** Projects and users that an identity service outside of here knows have its ids and names, which are longer than ours. */
export const foreignIds: Migration = {
  name: 'foreign ids',
  async up(tx, dialect) {
    await widen(
      tx,
      dialect,
      [
        { table: 'projects', column: 'id', characters: PROJECT_ID_CHARACTERS },
        ...HOLDERS.map(table => ({ table, column: 'project_id', characters: PROJECT_ID_CHARACTERS })),
        { table: 'versions', column: 'created_by', characters: 255 },
        { table: 'idempotency_keys', column: 'owner', characters: 160 },
      ],
      REFERRING.map(referenceOf),
    )
  },
}

function referenceOf(table: string): Reference {
  // An app keeps its project from being deleted; what else is a project's goes with it.
  return {
    name: `${table}_project`,
    table,
    column: 'project_id',
    to: 'projects',
    isCascading: table !== 'apps',
  }
}
