import { AtelierError, type FunctionTable, type Principal, type TableFunction } from '../core/index.ts'

/** The function of the principal's project. Throws NOT_FOUND, and INVALID_INPUT when only half of its name is given. */
export function functionNamed(
  table: FunctionTable,
  by: Principal,
  app: string | undefined,
  name: string | undefined,
): TableFunction {
  if (app === undefined || name === undefined) {
    const missing = app === undefined ? 'app' : 'function'
    throw new AtelierError('INVALID_INPUT', `A function is named together with its app: add "${missing}".`, {
      errors: [{ pointer: missing, detail: 'is missing' }],
    })
  }
  const found = table.byPath(by.projectName, app, name)
  if (found) return found
  const shown = JSON.stringify(`${app}/${name}`.slice(0, 200))
  throw new AtelierError(
    'NOT_FOUND',
    `There is no function ${shown} in project ${JSON.stringify(by.projectName)}.`,
  )
}
