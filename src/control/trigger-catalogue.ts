import type { EventTriggerKind, InputError } from '../core/index.ts'

/** What the control plane asks of the kinds of event triggers, which stand above it and are handed in. */
export interface TriggerCatalogue {
  /** The rules of a kind, which is loaded when it is first asked for. NOT_IMPLEMENTED when this server lacks it. */
  rules(kind: EventTriggerKind): Promise<TriggerRules>
}

/** What the control plane must know of a kind to keep its triggers. */
export interface TriggerRules {
  /** Dotted paths of `config` that are sealed at rest and never shown. */
  readonly secretFields: readonly string[]
  /** Whether each trigger of the kind has a secret URL. */
  readonly hasUrl: boolean
  /** The configuration with its defaults, or what is wrong with it. Pure. */
  check(config: Readonly<Record<string, unknown>>, now: number): CheckedConfig
}

/** Pointers are dotted paths below `config`, or '' for all of it. */
export type CheckedConfig =
  | { readonly config: Readonly<Record<string, unknown>> }
  | { readonly errors: readonly InputError[] }
