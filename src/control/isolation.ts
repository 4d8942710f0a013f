import { asAtelierError, type ChosenTier, invalidField, type Principal, strongerTier } from '../core/index.ts'
import type { Environment } from '../environments/index.ts'
import type { Context } from './context.ts'

/**
 * The tier of a version: what is settled, and at least what its project asks for. Throws INVALID_INPUT when the function may not have the
 * tier that it asks for, or none of that strength is here.
 */
export async function checkIsolation(
  context: Context,
  by: Principal,
  deploy: {
    readonly asked: ChosenTier | undefined
    readonly settled: ChosenTier
    readonly environment: Pick<Environment, 'isImage'>
  },
): Promise<ChosenTier> {
  const least = context.options.table.projects.get(by.projectId)?.isolationMin
  const tier = strongerTier(deploy.settled, least)
  if (deploy.asked !== undefined && deploy.asked !== tier)
    throw invalidField('isolation', `must be at least "${least}" in project "${by.projectName}"`)
  if (tier !== 'gvisor') return tier
  if (deploy.environment.isImage === true) {
    if (context.options.isolation?.images === 'gvisor') return tier
    throw invalidField(
      'isolation',
      'of an image is its engine’s to give, and is "process" here: the operator may run all images in gVisor with --container-runtime runsc',
    )
  }
  await checkTier(context, tier)
  return tier
}

/** Throws INVALID_INPUT with the reason when no function can have `tier` here. */
export async function checkTier(
  { options }: Context,
  tier: ChosenTier | undefined,
  pointer: 'isolation' | 'isolationMin' = 'isolation',
): Promise<void> {
  if (tier !== 'gvisor') return
  if (options.isolation === undefined) throw invalidField(pointer, 'cannot be "gvisor" on this platform')
  try {
    await options.isolation.check(tier)
  } catch (error) {
    throw invalidField(pointer, `cannot be "gvisor" on this platform (${asAtelierError(error).message})`)
  }
}
