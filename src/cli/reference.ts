import { checkName } from '../core/index.ts'
import { usage } from './failure.ts'

/** Which function is meant: `name`, `app/name`, `app/name:alias` or `app/name:3`. */
export interface FunctionReference {
  readonly app: string
  readonly name: string
  /** Alias or version number. */
  readonly qualifier: string | undefined
  /** The way to it in the API. */
  readonly path: string
}

export const APP_DEFAULT = 'default'

/** Throws a usage failure that says what a reference looks like. `app` is used when the text names none. */
export function parseReference(text: string, app: string = APP_DEFAULT): FunctionReference {
  const match = /^(?:([^/:]+)\/)?([^/:]+)(?::([^/:]+))?$/.exec(text)
  if (!match)
    throw usage(
      `${JSON.stringify(text)} is not a function`,
      'Write NAME, APP/NAME or APP/NAME:ALIAS; "atelier function list" shows what there is.',
    )
  const [, appPart = app, name = '', qualifier] = match
  checkName(appPart, 'app')
  checkName(name, 'function')
  if (qualifier !== undefined) checkName(qualifier, 'alias')
  return { app: appPart, name, qualifier, path: `/v1/apps/${appPart}/functions/${name}` }
}

/** The same, where a version or alias would have no meaning. */
export function parsePlainReference(text: string, app?: string): FunctionReference {
  const reference = parseReference(text, app)
  if (reference.qualifier !== undefined)
    throw usage(
      `${JSON.stringify(text)}: an alias means nothing here`,
      `Leave out ":${reference.qualifier}".`,
    )
  return reference
}
