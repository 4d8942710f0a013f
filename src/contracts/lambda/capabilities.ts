import type { ContractCapabilities } from '../contract.ts'

export const LAMBDA_CAPABILITIES: ContractCapabilities = {
  streaming: false, // answers may stream, events are whole
  concurrency: true, // as many calls as the runtime asks for at once
  webSocket: false,
  lateLoad: false,
  concurrencyDefault: 1,
}
