import { sql } from 'kysely'
import { AtelierError, checkName, noSuch } from '../core/index.ts'
import type { SecretSource } from '../pool/index.ts'
import type { Store } from '../store/index.ts'
import { type Context, need } from './context.ts'
import type { Control } from './control.ts'
import { KEY_ID_CHARACTERS_MAX, keyIdOf, type SecretKeys, seal, unseal } from './sealing.ts'
import { Problems } from './validate.ts'

type SecretOperations = Pick<Control, 'putSecret' | 'listSecrets' | 'deleteSecret'>

const VALUE_BYTES_MAX = 64 * 1024
const SECRETS_MAX = 1_000 // in one project

/** Values go in sealed and come out only for a starting instance. */
export function secretOperations(context: Context): SecretOperations {
  const { store, clock, cursors, options } = context
  return {
    async putSecret(by, name, value) {
      need(by, 'write')
      checkName(name, 'name')
      checkValue(value)
      return context.commit(async tx => {
        const before = await tx
          .selectFrom('secrets')
          .select(['revision', 'created_at'])
          .where('project_id', '=', by.projectId)
          .where('name', '=', name)
          .executeTakeFirst()
        const now = clock.now()
        const sealed = seal(options.secretsKey, [by.projectId, name], value)
        const revision = (before?.revision ?? 0) + 1
        if (before)
          await tx
            .updateTable('secrets')
            .set({ sealed, revision, updated_at: now })
            .where('project_id', '=', by.projectId)
            .where('name', '=', name)
            .execute()
        else {
          const { count } = await tx
            .selectFrom('secrets')
            .select(select => select.fn.countAll<number | string>().as('count'))
            .where('project_id', '=', by.projectId)
            .executeTakeFirstOrThrow()
          if (Number(count) >= SECRETS_MAX)
            throw new AtelierError(
              'QUOTA_EXCEEDED',
              `Project "${by.projectName}" has ${count} secrets, the most.`,
            )
          await tx
            .insertInto('secrets')
            .values({ project_id: by.projectId, name, sealed, revision, created_at: now, updated_at: now })
            .execute()
        }
        return {
          projectId: by.projectId,
          name,
          revision,
          createdAt: before?.created_at ?? now,
          updatedAt: now,
        }
      })
    },

    async listSecrets(by, request) {
      need(by, 'read')
      const list = `secrets of ${by.projectId}`
      const { limit, after } = cursors.open(list, request)
      let query = store.db
        .selectFrom('secrets')
        .select(['name', 'revision', 'created_at', 'updated_at'])
        .where('project_id', '=', by.projectId)
      if (after) query = query.where('name', '>', String(after[0]))
      const rows = await query
        .orderBy('name')
        .limit(limit + 1)
        .execute()
      return cursors.page(
        list,
        rows,
        limit,
        row => [row.name],
        row => ({
          projectId: by.projectId,
          name: row.name,
          revision: row.revision,
          createdAt: row.created_at,
          updatedAt: row.updated_at,
        }),
      )
    },

    async deleteSecret(by, name) {
      need(by, 'write')
      await context.commit(async tx => {
        const { numDeletedRows } = await tx
          .deleteFrom('secrets')
          .where('project_id', '=', by.projectId)
          .where('name', '=', name)
          .executeTakeFirst()
        if (numDeletedRows === 0n) throw noSuch('secret', name)
      })
    },
  }
}

/** Opens secrets for instances that start. A name that is gone is FUNCTION_LOAD_FAILED. */
export function secretSource(store: Store, keys: SecretKeys): SecretSource {
  return {
    async read(projectId, names) {
      if (names.length === 0) return {}
      const rows = await store.db
        .selectFrom('secrets')
        .select(['name', 'sealed'])
        .where('project_id', '=', projectId)
        .where('name', 'in', [...names])
        .execute()
      const found = new Map(rows.map(row => [row.name, row.sealed]))
      return Object.fromEntries(
        names.map(name => {
          const sealed = found.get(name)
          if (sealed === undefined)
            throw new AtelierError(
              'FUNCTION_LOAD_FAILED',
              `The secret "${name}" that the function needs was deleted: set it, or deploy without it.`,
            )
          return [name, unseal(keys, [projectId, name], sealed)]
        }),
      )
    },
  }
}

/** Throws INTERNAL when a secret is sealed with a key that is not there: better at the start than at a call. */
export async function checkSecretKeys({ db }: Store, keys: SecretKeys): Promise<void> {
  const rows = [
    ...(await db.selectFrom('secrets').select(beginningOf('sealed')).execute()),
    ...(await db.selectFrom('event_triggers').select(beginningOf('sealed')).execute()),
    ...(await db.selectFrom('event_triggers').select(beginningOf('tokens_sealed')).execute()),
  ]
  const missing = new Set(
    rows.flatMap(row => (row.sealed === null ? [] : keyIdOf(row.sealed))).filter(id => !keys.has(id)),
  )
  if (missing.size > 0)
    throw new AtelierError(
      'INTERNAL',
      `Secrets are sealed with the key "${[...missing].join('", "')}", which is not in the key file: restore secret.key from a backup.`,
    )
}

/** As much of a sealed text as the id of its key is in: all secrets whole would be too much at once. */
function beginningOf(column: 'sealed' | 'tokens_sealed') {
  return sql<string | null>`substr(${sql.ref(column)}, 1, ${KEY_ID_CHARACTERS_MAX + 1})`.as('sealed')
}

function checkValue(value: string): void {
  const problems = new Problems()
  if (typeof value !== 'string' || value.includes('\0')) problems.add('value', 'must be a text without NUL')
  else if (Buffer.byteLength(value) > VALUE_BYTES_MAX)
    problems.add('value', `has more than ${VALUE_BYTES_MAX} bytes`)
  problems.throwIfAny()
}
