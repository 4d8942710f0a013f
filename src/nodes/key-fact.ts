import { createHash } from 'node:crypto'
import { AtelierError } from '../core/index.ts'
import type { Store } from '../store/index.ts'

const FACT = 'secret key'

/** Whether servers have agreed on a key in this database: then this one must not make one of its own. */
export async function hasAgreedKey(store: Store): Promise<boolean> {
  const fact = await store.db.selectFrom('facts').select('name').where('name', '=', FACT).executeTakeFirst()
  return fact !== undefined
}

/**
 * Sees to it that all nodes have the same key: the first one says which it is. Throws INVALID_INPUT on one that has another, which
 * would seal what nobody else can open. `keys`: the one that seals first; while it is being changed, those before it. `path`: where
 * this node has them.
 */
export async function agreeOnKey(store: Store, keys: readonly Uint8Array[], path: string): Promise<void> {
  const own = keys.map(key => createHash('sha256').update('atelier key 1').update(key).digest('hex'))
  const [value = ''] = own
  const isAgreed = await store.transaction(async tx => {
    const fact = await tx.selectFrom('facts').select('value').where('name', '=', FACT).executeTakeFirst()
    if (fact && !own.includes(fact.value)) return false
    if (!fact) await tx.insertInto('facts').values({ name: FACT, value }).execute()
    else if (fact.value !== value)
      await tx.updateTable('facts').set({ value }).where('name', '=', FACT).execute()
    return true
  })
  if (!isAgreed) throw otherKey(path)
}

/** What to tell where this node has another key than the others, or none. */
export function otherKey(path: string): AtelierError {
  return new AtelierError(
    'INVALID_INPUT',
    `The servers of this database seal secrets with a key that is not in ${path}: copy secret.key of one of them there.`,
  )
}
