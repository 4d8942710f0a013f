/** What IronFunctions takes for an app and a route, and what it says of the rest. Pure. */

import { type Config, EngineError, type EngineRoute, type NewRoute, type RouteChange } from './engine.ts'
import { cleanPath } from './names.ts'

const NAME = /^[0-9A-Za-z_-]+$/
const NAME_CHARACTERS_MAX = 30
const PATH_CHARACTERS_MAX = 255
const LIST = 'validation failure list:\n'

const MEMORY_MIB_DEFAULT = 128
const TIMEOUT_S_DEFAULT = 30
const CONCURRENCY_DEFAULT = 1

/** Upstream answers 500 to these; a mistake of the caller's is 400 here. */
export function checkAppName(name: string): void {
  const wrong =
    name === ''
      ? 'Missing app name'
      : name.length > NAME_CHARACTERS_MAX
        ? 'App name must be 30 characters or less'
        : NAME.test(name)
          ? undefined
          : 'Invalid app name'
  if (wrong !== undefined) throw new EngineError(400, LIST + wrong)
}

/** The route with its defaults. Throws what IronFunctions says of everything that is wrong with it. */
export function newRoute(app: string, given: NewRoute): EngineRoute {
  const problems = [
    ...(given.image ? [] : ['Missing route Image']),
    ...pathProblems(given.path ?? ''),
    ...fieldProblems(given),
  ]
  throwAll(problems)
  return {
    app_name: app,
    path: cleanPath(given.path!),
    image: given.image!,
    memory: given.memory || MEMORY_MIB_DEFAULT,
    headers: given.headers ?? {},
    type: (given.type || 'sync') as EngineRoute['type'],
    format: (given.format || 'default') as EngineRoute['format'],
    max_concurrency: given.max_concurrency || CONCURRENCY_DEFAULT,
    timeout: given.timeout || TIMEOUT_S_DEFAULT,
    idle_timeout: given.idle_timeout ?? 0,
    config: given.config ?? {},
    jwt_key: given.jwt_key ?? '',
  }
}

/** The route with a change: what is empty or zero stays, configuration is merged, headers are added. */
export function changedRoute(before: EngineRoute, change: RouteChange): EngineRoute {
  throwAll(fieldProblems(change))
  const headers: Record<string, readonly string[]> = { ...before.headers }
  for (const [name, values] of Object.entries(change.headers ?? {}))
    if (values.length === 0) delete headers[name]
    else headers[name] = [...(headers[name] ?? []), ...values]
  return {
    ...before,
    image: change.image || before.image,
    memory: change.memory || before.memory,
    type: (change.type || before.type) as EngineRoute['type'],
    format: (change.format || before.format) as EngineRoute['format'],
    max_concurrency: change.max_concurrency || before.max_concurrency,
    timeout: change.timeout || before.timeout,
    idle_timeout: change.idle_timeout || before.idle_timeout,
    jwt_key: change.jwt_key || before.jwt_key,
    headers,
    config: merged(before.config, change.config),
  }
}

/** A key with an empty value goes. */
export function merged(before: Config | null, change: Config | undefined): Config {
  return Object.fromEntries(Object.entries({ ...before, ...change }).filter(([, value]) => value !== ''))
}

function pathProblems(path: string): string[] {
  if (path === '') return ['Missing route Path']
  if (path.length > PATH_CHARACTERS_MAX || /[\0-\x20\x7f?#]|%(?![0-9a-fA-F]{2})/.test(path))
    return ['Path malformed']
  if (path.includes(':')) return ['Dynamic URL is not allowed']
  return path.startsWith('/') ? [] : ['Invalid Path format']
}

function fieldProblems(given: RouteChange): string[] {
  const problems: string[] = []
  if (given.type && given.type !== 'sync' && given.type !== 'async') problems.push('Invalid route Type')
  if (given.format && given.format !== 'default' && given.format !== 'http')
    problems.push('Invalid route Format')
  if ((given.max_concurrency ?? 0) < 0) problems.push('Negative MaxConcurrency')
  if ((given.timeout ?? 0) < 0) problems.push('Negative timeout')
  if ((given.idle_timeout ?? 0) < 0) problems.push('Negative idle timeout')
  return problems
}

function throwAll(problems: readonly string[]): void {
  if (problems.length > 0) throw new EngineError(400, LIST + LIST + problems.join('\n'))
}
