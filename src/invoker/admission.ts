import { AtelierError, type FunctionTable, type TableFunction } from '../core/index.ts'
import type { Projects } from './projects.ts'

/** Counts one more call of the function's project, or says why there can be none. Whoever is admitted must leave again. */
export function admit(
  { table, projects }: { readonly table: FunctionTable; readonly projects: Projects },
  target: TableFunction,
): AtelierError | undefined {
  const project = table.projects.get(target.projectId)
  if (project?.enabled === false)
    return new AtelierError('FORBIDDEN', `Project "${target.projectName}" is disabled.`)
  const most = project?.concurrencyMax
  if (projects.enter(target.projectId, most)) return undefined
  return new AtelierError(
    'TOO_MANY_REQUESTS',
    `Project "${target.projectName}" has ${most} calls in hand, as many as it may; come back later.`,
    { retryAfterS: 1 },
  )
}
