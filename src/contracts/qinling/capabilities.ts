import type { ContractCapabilities } from '../contract.ts'

export const QINLING_CAPABILITIES: ContractCapabilities = {
  streaming: false,
  concurrency: true,
  webSocket: false,
  lateLoad: false,
}
