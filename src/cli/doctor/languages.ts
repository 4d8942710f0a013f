import { allEnvironments } from '../languages.ts'
import { type Check, ok, warn } from './check.ts'

/** A row for each language: whether its functions run on this machine, and what some builds would miss. */
export async function languageChecks(env: NodeJS.ProcessEnv): Promise<readonly Check[]> {
  return (await allEnvironments(env))
    .filter(each => each.isImage !== true)
    .map(environment => ({
      name: environment.name,
      look: async () => {
        const status = await environment.probe()
        if (!status.ready) return warn('not found', status.reason)
        const lacks = environment.lacks?.() ?? []
        return lacks.length === 0
          ? ok(status.runtimeVersion)
          : warn(`${status.runtimeVersion}, but not complete`, lacks.join(' '))
      },
    }))
}
