import type { ContractCapabilities } from '../contract.ts'

export const FISSION_CAPABILITIES: ContractCapabilities = {
  streaming: true,
  concurrency: true,
  webSocket: false,
  lateLoad: false,
}
