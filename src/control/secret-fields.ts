type Fields = Readonly<Record<string, unknown>>

/** A configuration in two parts: what may be shown, and the values at secret paths. */
export interface SplitConfig {
  readonly open: Fields
  /** By dotted path. */
  readonly secret: Readonly<Record<string, unknown>>
}

/** Takes the fields at these dotted paths out. */
export function splitSecrets(config: Fields, paths: readonly string[]): SplitConfig {
  let open = config
  const secret: Record<string, unknown> = {}
  for (const path of paths) {
    const steps = path.split('.')
    const value = valueAt(open, steps)
    if (value === undefined) continue
    secret[path] = value
    open = withValue(open, steps, undefined)
  }
  return { open, secret }
}

/** The whole configuration again. */
export function joinSecrets({ open, secret }: SplitConfig): Fields {
  let config = open
  for (const [path, value] of Object.entries(secret)) config = withValue(config, path.split('.'), value)
  return config
}

/** JSON Merge Patch (RFC 7396): what is given replaces, `null` removes, objects are merged. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch
  const merged = new Map(Object.entries(isFields(target) ? target : {}))
  for (const [name, value] of Object.entries(patch))
    if (value === null) merged.delete(name)
    else merged.set(name, mergePatch(merged.get(name), value))
  return Object.fromEntries(merged)
}

function valueAt(value: unknown, steps: readonly string[]): unknown {
  let found = value
  for (const step of steps) found = isFields(found) && Object.hasOwn(found, step) ? found[step] : undefined
  return found
}

/** A copy with another value there; `undefined` takes the field away. */
function withValue(fields: Fields, [step, ...rest]: readonly string[], value: unknown): Fields {
  if (step === undefined) return fields
  const inner = Object.hasOwn(fields, step) ? fields[step] : undefined
  const next = rest.length === 0 ? value : withValue(isFields(inner) ? inner : {}, rest, value)
  const others = Object.entries(fields).filter(([name]) => name !== step)
  return Object.fromEntries(next === undefined ? others : [...others, [step, next]])
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
