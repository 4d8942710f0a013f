import { AtelierError } from './errors.ts'

/** Letters, digits, `-`, `_`, `.`; begins with a letter or digit; at most 63. Safe in a URL, a path and a label. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$/

/** Whether `name` can name a project, an app, a function, an alias, a trigger or a secret. */
export function isName(name: string): boolean {
  return NAME.test(name)
}

/** Throws INVALID_INPUT that names the field when `name` breaks the rule. */
export function checkName(name: string, field: string): void {
  if (isName(name)) return
  const shown = JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name)
  throw new AtelierError(
    'INVALID_INPUT',
    `${field} ${shown} is not a name: use 1 to 63 letters, digits, "-", "_" or ".", beginning with a letter or digit`,
    { errors: [{ pointer: field, detail: 'not a name' }] },
  )
}
