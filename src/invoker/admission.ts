import { AtelierError, type Clock, type FunctionTable, type TableFunction } from '../core/index.ts'
import type { Projects } from './projects.ts'

/** Counts one more call of the function's project, or says why there can be none. Whoever is admitted must leave again. */
export function admit(
  {
    table,
    projects,
    clock,
  }: { readonly table: FunctionTable; readonly projects: Projects; readonly clock: Clock },
  target: TableFunction,
): AtelierError | undefined {
  const project = table.projects.get(target.projectId)
  if (project?.enabled === false)
    return new AtelierError('FORBIDDEN', `Project "${target.projectName}" is disabled.`)
  const most = project?.concurrencyMax
  if (projects.enter(target.projectId, most)) {
    const perMinute = project?.callsPerMinuteMax
    if (perMinute === undefined) return undefined
    const waitS = projects.begin(target.projectId, perMinute, clock.monotonic())
    if (waitS === 0) return undefined
    projects.leave(target.projectId)
    return new AtelierError(
      'TOO_MANY_REQUESTS',
      `Project "${target.projectName}" began ${perMinute} calls within a minute, as many as it may; come back later.`,
      { retryAfterS: waitS },
    )
  }
  return new AtelierError(
    'TOO_MANY_REQUESTS',
    `Project "${target.projectName}" has ${most} calls in hand, as many as it may; come back later.`,
    { retryAfterS: 1 },
  )
}
