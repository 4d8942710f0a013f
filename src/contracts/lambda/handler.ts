/** Configuration variable that says whether the body itself is the event. The one of ours that functions may set. */
export const LAMBDA_EVENT_SETTING = 'ATELIER_LAMBDA_EVENT'

/**
 * A function's entry as Lambda's runtimes name a handler (`_HANDLER`): `index.mjs#main` and `index:main` are `index.main`; what follows
 * `#` is taken as it is where it has a dot (`bootstrap#app.handler`), and so is an entry of neither form.
 */
export function lambdaHandlerOf(entry: string): string {
  const [, file, name] = /^([^#:]+)[#:]([^:]+)/.exec(entry) ?? []
  if (file === undefined || name === undefined) return entry
  return name.includes('.') ? name : `${file.replace(/\.(?:[mc]?[jt]s|py)$/, '')}.${name}`
}
