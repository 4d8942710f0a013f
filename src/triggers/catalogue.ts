import { Ajv, type ValidateFunction } from 'ajv'
import type { CheckedConfig, TriggerCatalogue, TriggerRules } from '../control/index.ts'
import {
  AtelierError,
  EVENT_TRIGGER_KINDS,
  type EventTriggerKind,
  isDateTime,
  sentenceOfFinding,
} from '../core/index.ts'
import type { TriggerKind } from './kind.ts'

/** How each kind is loaded; one that is missing is not there. A kind is loaded once, when its first trigger needs it. */
export type KindLoaders = Readonly<Partial<Record<EventTriggerKind, () => Promise<TriggerKind>>>>

/** The kinds of triggers that this server has. */
export class Kinds implements TriggerCatalogue {
  readonly #loaders: KindLoaders
  readonly #loading = new Map<EventTriggerKind, Promise<TriggerKind>>()
  readonly #rules = new Map<EventTriggerKind, TriggerRules>()

  constructor(loaders: KindLoaders) {
    this.#loaders = loaders
  }

  get names(): readonly EventTriggerKind[] {
    return EVENT_TRIGGER_KINDS.filter(kind => this.#loaders[kind] !== undefined)
  }

  /** NOT_IMPLEMENTED when this server lacks it. */
  load(kind: EventTriggerKind): Promise<TriggerKind> {
    let loading = this.#loading.get(kind)
    if (!loading) {
      const loader = this.#loaders[kind]
      if (!loader)
        return Promise.reject(
          new AtelierError('NOT_IMPLEMENTED', `This server runs no triggers of kind ${kind}.`),
        )
      loading = loader()
      this.#loading.set(kind, loading)
      loading.catch(() => this.#loading.delete(kind)) // what failed to load may load the next time
    }
    return loading
  }

  async rules(kind: EventTriggerKind): Promise<TriggerRules> {
    const known = this.#rules.get(kind)
    if (known) return known
    const loaded = await this.load(kind)
    const rules: TriggerRules = {
      secretFields: loaded.secretFields,
      hasUrl: loaded.hasUrl,
      check: checkerOf(loaded),
    }
    this.#rules.set(kind, rules)
    return rules
  }
}

const ERRORS_MAX = 20

function checkerOf(kind: TriggerKind): TriggerRules['check'] {
  const ajv = new Ajv({ allErrors: true, strict: false, validateFormats: true })
  ajv.addFormat('date-time', isDateTime)
  let fits: ValidateFunction | undefined
  return (config, now): CheckedConfig => {
    fits ??= ajv.compile(kind.configSchema)
    if (fits(config)) return kind.check(config, now)
    const errors = (fits.errors ?? []).slice(0, ERRORS_MAX).map(finding => {
      const { pointer, detail } = sentenceOfFinding(finding)
      return { pointer: pointer.slice(1).replaceAll('/', '.'), detail }
    })
    return { errors }
  }
}
