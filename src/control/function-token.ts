import { AtelierError, type Principal, type TokenGrant } from '../core/index.ts'
import type { Context } from './context.ts'

/**
 * What a new version may give its calls: roles that the deployer lends. Who deployed before lends nothing to the code of somebody
 * else. Rejects with INVALID_INPUT for a role that the deployer has not, FORBIDDEN for one who cannot lend, NOT_IMPLEMENTED where nobody can.
 */
export async function grantFor(
  context: Context,
  by: Principal,
  roles: readonly string[],
  live: TokenGrant | undefined,
  callerToken: string | undefined,
): Promise<TokenGrant | undefined> {
  if (roles.length === 0) return undefined
  const lending = context.options.identity?.lending
  if (!lending)
    throw refused('NOT_IMPLEMENTED', 'cannot be had here: the server has no user of its own to lend to')
  const isSame = live?.userId === by.userId && live.roles.join() === roles.join()
  if (isSame && (await lending.isLent(live.trustId))) return live
  if (callerToken === undefined) throw refused('FORBIDDEN', 'need a deploy with a token of the API')
  const trustId = await lending.lend(callerToken, by.projectId, roles).catch((error: unknown) => {
    if (error instanceof AtelierError && error.code === 'NOT_FOUND')
      throw refused('INVALID_INPUT', 'has a role that you have not in this project')
    throw error
  })
  const row = { trust_id: trustId, project_id: by.projectId, created_at: context.clock.now() }
  await context.store.db.insertInto('function_trusts').values(row).execute()
  return { roles, trustId, userId: by.userId }
}

/** Ends what was lent to versions that are no more. What cannot be ended now keeps nothing else: it is tried again the next time. */
export async function giveBackUnused({ store, options }: Context, lentBefore: number): Promise<void> {
  const lending = options.identity?.lending
  if (!lending) return
  const rows = await store.db
    .selectFrom('function_trusts')
    .select('trust_id')
    .where('created_at', '<', lentBefore)
    .execute()
  if (rows.length === 0) return
  const used = new Set<string>()
  for (const { versions } of options.table.functions.values())
    for (const { token } of versions.values()) if (token) used.add(token.trustId)
  let failure: { readonly error: unknown } | undefined
  for (const { trust_id } of rows.filter(row => !used.has(row.trust_id)))
    try {
      await lending.giveBack(trust_id)
      await store.db.deleteFrom('function_trusts').where('trust_id', '=', trust_id).execute()
    } catch (error) {
      failure ??= { error }
    }
  if (failure) throw failure.error
}

function refused(code: 'INVALID_INPUT' | 'FORBIDDEN' | 'NOT_IMPLEMENTED', detail: string): AtelierError {
  return new AtelierError(code, `tokenRoles ${detail}.`, { errors: [{ pointer: 'tokenRoles', detail }] })
}
