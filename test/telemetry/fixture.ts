import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { systemClock } from '../../src/core/index.ts'
import { createTelemetry, type RunningTelemetry, type TelemetryOptions } from '../../src/telemetry/index.ts'

const root = mkdtempSync(join(tmpdir(), 'atelier-telemetry-'))
const open = new Set<RunningTelemetry>()
let files = 0
after(async () => {
  for (const each of open) await each.close()
  rmSync(root, { recursive: true, force: true })
})

export function freshPath(): string {
  return join(root, String(++files))
}

export function startTelemetry(options: Partial<TelemetryOptions> = {}): RunningTelemetry {
  const telemetry = createTelemetry({ path: freshPath(), clock: systemClock, ...options })
  open.add(telemetry)
  return telemetry
}

export * from './records.ts'
