import type { Environment } from '../environments/index.ts'

/** The languages of the platform and those of the setting `languages`, as a server that is started here would have them. */
export async function allEnvironments(env: NodeJS.ProcessEnv): Promise<readonly Environment[]> {
  const { environments, findEnvironments } = await import('../environments/index.ts')
  const own = env['ATELIER_LANGUAGES']
  return own ? [...environments, ...(await findEnvironments(own, environments))] : environments
}
