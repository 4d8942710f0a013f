import {
  type ChosenTier,
  type ContractChoice,
  isName,
  type Limits,
  type NetworkMode,
  SCALING_DEFAULT,
  type Scaling,
} from '../core/index.ts'
import { changed, checkAsync, complete } from './async-settings.ts'
import { checkConcurrency, contractOf, limitsDefault } from './contract-choice.ts'
import type { DeployRequest } from './control.ts'
import { checkAccess, type LiveVersion } from './functions.ts'
import { checkConfig, checkDescription, checkLimits, checkScaling, Problems } from './validate.ts'

const SECRETS_MAX = 100 // that one function sees
const ENTRY_CHARACTERS_MAX = 500
const TOKEN_ROLES_MAX = 20
const ROLE_CHARACTERS_MAX = 255

/** What a deploy decides of a version, beside the code. */
export interface Settings {
  /** The function's own, without its app's. */
  readonly config: Readonly<Record<string, string>>
  readonly secrets: readonly string[]
  readonly limits: Limits
  readonly scaling: Scaling
  readonly network: NetworkMode
  readonly isolation: ChosenTier
  /** Roles of the token that its calls are given; none for no token. */
  readonly tokenRoles: readonly string[]
  /** `undefined`: the environment's own. */
  readonly contract: ContractChoice | undefined
}

/**
 * What is given, over what is live, over the defaults. Throws INVALID_INPUT that names each field that is wrong; `place` is
 * what this installation can do.
 */
export function settle(
  request: DeployRequest,
  live: LiveVersion | undefined,
  place: { readonly networkAvailable: boolean; readonly memoryMiBMax: number | undefined },
): Settings {
  const spec = live?.version.spec
  const problems = new Problems()
  const contract = contractOf(request.contract ?? spec?.contract, problems)
  const settings: Settings = {
    config: request.config ?? live?.ownConfig ?? {},
    secrets: [...new Set(request.secrets ?? spec?.secrets ?? [])].sort(),
    limits: { ...limitsDefault(contract), ...spec?.limits, ...given(request.limits) },
    scaling: { ...SCALING_DEFAULT, ...spec?.scaling, ...given(request.scaling) },
    network: request.network ?? spec?.network ?? (place.networkAvailable ? 'outbound' : 'none'),
    isolation: request.isolation ?? spec?.isolation ?? 'process',
    tokenRoles: [...new Set(request.tokenRoles ?? spec?.token?.roles ?? [])].sort(),
    contract,
  }
  checkConcurrency(contract, settings.limits, problems)
  checkLimits(settings.limits, place.memoryMiBMax, problems)
  checkScaling(settings.scaling, problems)
  checkConfig(settings.config, problems)
  checkDescription(request.description, problems)
  checkAccess(request.access, problems)
  if (request.async) checkAsync(complete(changed({}, request.async)), problems)
  if (settings.secrets.length > SECRETS_MAX) problems.add('secrets', `must be at most ${SECRETS_MAX}`)
  for (const name of settings.secrets)
    if (!isName(name)) problems.add('secrets', `${JSON.stringify(name.slice(0, 80))} is not a name`)
  if (request.entry !== undefined && (request.entry === '' || request.entry.length > ENTRY_CHARACTERS_MAX))
    problems.add('entry', `must have 1 to ${ENTRY_CHARACTERS_MAX} characters`)
  if (settings.network !== 'none' && settings.network !== 'outbound')
    problems.add('network', 'must be "none" or "outbound"')
  else if (settings.network === 'outbound' && !place.networkAvailable)
    problems.add('network', 'cannot be "outbound" on this platform (see atelier status): deploy with "none"')
  if (settings.isolation !== 'process' && settings.isolation !== 'gvisor')
    problems.add('isolation', 'must be "process" or "gvisor"')
  if (settings.tokenRoles.length > TOKEN_ROLES_MAX)
    problems.add('tokenRoles', `must be at most ${TOKEN_ROLES_MAX}`)
  if (settings.tokenRoles.some(each => each === '' || each.length > ROLE_CHARACTERS_MAX))
    problems.add('tokenRoles', `must each have 1 to ${ROLE_CHARACTERS_MAX} characters`)
  problems.throwIfAny()
  return settings
}

// A field that is there but undefined means "not given", not "no limit".
function given<T extends object>(values: T | undefined): Partial<T> {
  return Object.fromEntries(
    Object.entries(values ?? {}).filter(([, value]) => value !== undefined),
  ) as Partial<T>
}
