import type { AliasTarget, TableVersion, VersionSpec } from '../core/index.ts'

const ENTRIES_MAX = 20_000 // of each kind; then it starts anew: sharing less costs only memory

type SpecPart = Pick<
  TableVersion,
  | 'environment'
  | 'contract'
  | 'bundleDigest'
  | 'entry'
  | 'config'
  | 'secrets'
  | 'limits'
  | 'scaling'
  | 'network'
  | 'isolation'
  | 'token'
>

/** Gives equal values as one object: ten thousand functions with the default limits hold them once. */
export class Interner {
  readonly #texts = new Map<string, string>()
  readonly #objects = new Map<string, unknown>()

  text(value: string): string {
    return remember(this.#texts, value, () => value)
  }

  targets(json: string, parse: (json: string) => readonly AliasTarget[]): readonly AliasTarget[] {
    return remember(this.#objects, json, () => parse(json)) as readonly AliasTarget[]
  }

  /** What the data plane needs of a version's frozen specification. */
  spec(json: string): SpecPart {
    const spec = JSON.parse(json) as VersionSpec
    return {
      environment: this.text(spec.environment),
      ...(spec.contract && { contract: this.#object(spec.contract) }),
      bundleDigest: this.text(spec.bundleDigest),
      entry: this.text(spec.entry),
      config: this.#object(spec.config),
      secrets: this.#object(spec.secrets),
      limits: this.#object(spec.limits),
      scaling: this.#object(spec.scaling),
      network: this.text(spec.network) as SpecPart['network'],
      ...(spec.isolation && { isolation: spec.isolation }),
      ...(spec.token && { token: this.#object(spec.token) }),
    }
  }

  #object<T extends object>(value: T): T {
    return remember(this.#objects, JSON.stringify(value), () => value) as T
  }
}

function remember<T>(map: Map<string, T>, key: string, make: () => T): T {
  const known = map.get(key)
  if (known !== undefined) return known
  if (map.size >= ENTRIES_MAX) map.clear()
  const value = make()
  map.set(key, value)
  return value
}
