import type { KindLoaders } from './catalogue.ts'

/** The kinds there are, each loaded when its first trigger needs it. */
export function kindLoaders(): KindLoaders {
  return {
    schedule: async () => (await import('./schedule/kind.ts')).createScheduleKind(),
  }
}
