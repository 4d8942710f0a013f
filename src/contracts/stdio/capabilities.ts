import type { ContractCapabilities } from '../contract.ts'

export const STDIO_HTTP_CAPABILITIES: ContractCapabilities = {
  streaming: false,
  concurrency: false,
  webSocket: false,
  lateLoad: false,
}

export const STDIO_CAPABILITIES: ContractCapabilities = { ...STDIO_HTTP_CAPABILITIES, callsMax: 1 }
