import type { TriggerEvent } from '../kind.ts'

/** One alarm or alert that changed its state, whoever told of it. */
export interface Alarm {
  readonly state: string
  readonly severity: string | undefined
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** It tells again what was told: the state goes on. */
  readonly isRepeat: boolean
  /** What two tellings of the same change have in common, for as long as they may come apart. */
  readonly sameAs: { readonly key: string; readonly withinMs: number }
  readonly event: TriggerEvent
}
