import type { ContractCapabilities } from '../contract.ts'

export const HTTP_CAPABILITIES: ContractCapabilities = {
  streaming: true,
  concurrency: true,
  webSocket: true,
  lateLoad: false,
  concurrencyDefault: 10,
}
