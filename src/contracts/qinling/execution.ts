/** Executions as Qinling's engine asks for them, and what its runtimes answer. Pure. */
import type { CallHead, StartSpec } from '../contract.ts'
import { functionUid } from '../process-env.ts'

/** The body of `POST /execute`. */
export function executeBody(spec: StartSpec, head: CallHead, body: Uint8Array, downloadUrl: string): Buffer {
  return Buffer.from(
    JSON.stringify({
      execution_id: fieldOf(head, 'qinling-execution-id') ?? head.id,
      function_id: functionUid(spec),
      function_version: spec.function.version,
      cpu: spec.cpuMillicores,
      memory_size: spec.memoryMiB * MIB,
      timeout: Math.ceil(Number(fieldOf(head, 'qinling-timeout-ms') ?? spec.timeoutMs) / 1000),
      input: inputOf(body),
      entry: spec.choice.functionName ?? (spec.isImage === true ? ENTRY_DEFAULT : spec.entry),
      download_url: downloadUrl,
      request_id: `req-${head.id}`,
    }),
  )
}

const MIB = 1024 * 1024
const ENTRY_DEFAULT = 'main.main' // Qinling's own

/** What the dialect that called says of the call; any other caller may too, of its own. */
function fieldOf({ headers }: CallHead, name: string): string | undefined {
  const at = headers.findIndex((each, i) => i % 2 === 0 && each === name)
  return at < 0 ? undefined : headers[at + 1]
}

/** An object as it is; no body as nothing; what else it may be is text, which is passed as the one positional argument. */
function inputOf(body: Uint8Array): unknown {
  if (body.length === 0) return null
  const text = Buffer.from(body).toString('utf8')
  try {
    const value: unknown = JSON.parse(text)
    if (value === null || (typeof value === 'object' && !Array.isArray(value))) return value
  } catch {
    // Text.
  }
  return { __function_input: text }
}

export interface Execution {
  readonly output: unknown
  readonly success: boolean
  readonly logs: string
  /** Seconds, as the runtime measured them. */
  readonly duration: number | undefined
}

/** What a runtime answered to `/execute`; a string says what is wrong with it. The status says nothing, as in Qinling's engine. */
export function readExecution(body: Uint8Array): Execution | string {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(body).toString('utf8'))
  } catch {
    return 'an answer to /execute that is not JSON'
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return 'an answer to /execute that is no object'
  const { output = null, success, logs, duration } = value as Record<string, unknown>
  if (typeof success !== 'boolean') return 'an answer to /execute without "success"'
  return {
    output,
    success,
    logs: typeof logs === 'string' ? logs : '',
    duration: typeof duration === 'number' ? duration : undefined,
  }
}
