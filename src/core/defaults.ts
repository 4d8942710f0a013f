import type { Limits, Quota, Scaling } from './model.ts'

/** Port of the API. */
export const CONTROL_PORT_DEFAULT = 1881
/** Port of the router. */
export const ROUTER_PORT_DEFAULT = 1882

/** Of a function that says nothing of them. */
export const LIMITS_DEFAULT: Limits = {
  memoryMiB: 128,
  cpuMillicores: 1000,
  timeoutMs: 30_000,
  concurrency: 1,
  tmpMiB: 64,
  processesMax: 64,
  openFilesMax: 1024,
}

/** Likewise. */
export const SCALING_DEFAULT: Scaling = { instancesMin: 0, instancesMax: 100, idleMs: 120_000 }

/** What a project may have where its operator says nothing: enough for nearly all, and an end for the rest. */
export const QUOTA_DEFAULT = {
  functions: 20_000,
  versions: 200_000,
  storageBytes: 20 * 1024 ** 3,
  triggers: 20_000,
  queuedCalls: 500_000,
  queuedBytes: 1024 ** 3,
} as const satisfies Quota

/** In the order in which they are shown. */
export const QUOTA_NAMES = [
  'functions',
  'versions',
  'triggers',
  'storageBytes',
  'memoryMiB',
  'concurrency',
  'callsPerMinute',
  'queuedCalls',
  'queuedBytes',
] as const satisfies readonly (keyof Quota)[]

export const PENDING_MAX_DEFAULT = 1_000 // calls per function that may wait for a slot
export const LOG_BYTES_PER_INVOCATION_MAX = 1024 * 1024
/** Versions of a function that are kept though nothing points to them. */
export const VERSIONS_KEPT_DEFAULT = 10
export const BODY_BYTES_BUFFERED_MAX = 6 * 1024 * 1024 // of a request or an answer that is kept whole
