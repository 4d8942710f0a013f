import { type AddressPolicy, createAddressPolicy } from '../core/index.ts'
import type { KindLoaders } from './catalogue.ts'

/** The kinds there are, each loaded when its first trigger needs it. `addresses`: where they may connect to for tenants. */
export function kindLoaders(addresses: AddressPolicy = createAddressPolicy()): KindLoaders {
  return {
    schedule: async () => (await import('./schedule/kind.ts')).createScheduleKind(),
    object: async () => (await import('./object/kind.ts')).createObjectKind(addresses),
  }
}
