import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { type Clock, type Invocation, type LogLine, newId, systemClock } from '../../src/core/index.ts'
import { createTelemetry, type RunningTelemetry, type TelemetryOptions } from '../../src/telemetry/index.ts'

const root = mkdtempSync(join(tmpdir(), 'atelier-telemetry-'))
const open = new Set<RunningTelemetry>()
let files = 0
after(async () => {
  for (const each of open) await each.close()
  rmSync(root, { recursive: true, force: true })
})

export function freshPath(): string {
  return join(root, `${++files}.db`)
}

export async function startTelemetry(options: Partial<TelemetryOptions> = {}): Promise<RunningTelemetry> {
  const telemetry = await createTelemetry({ path: freshPath(), clock: systemClock, ...options })
  open.add(telemetry)
  return telemetry
}

export const PROJECT = 'project-a'
export const FUNCTION = 'function-a'

export function anInvocation(change: Partial<Invocation> = {}, clock: Clock = systemClock): Invocation {
  const startedAt = change.startedAt ?? clock.now()
  return {
    id: newId(startedAt),
    projectId: PROJECT,
    functionId: FUNCTION,
    functionName: 'hello',
    appName: 'demo',
    version: 1,
    trigger: 'http',
    status: 'ok',
    httpStatus: 200,
    cold: false,
    startedAt,
    queuedMs: 0.25,
    startingMs: 0,
    initialisingMs: 0,
    runningMs: 1.5,
    billedMs: 2,
    memoryMiB: 128,
    bytesIn: 10,
    bytesOut: 20,
    ...change,
  }
}

export function aLine(change: Partial<LogLine> = {}): LogLine {
  return {
    at: Date.now(),
    projectId: PROJECT,
    functionId: FUNCTION,
    version: 1,
    instanceId: 'i-1',
    stream: 'stdout',
    text: 'hello',
    ...change,
  }
}
