import type { ContractCapabilities } from '../contract.ts'

export const FN_CAPABILITIES: ContractCapabilities = {
  streaming: true,
  concurrency: false,
  webSocket: false,
  lateLoad: false,
}
