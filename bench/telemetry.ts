/**
 * What remembering a call costs: `node bench/telemetry.ts [calls per second] [seconds]`. Of the thread that carries the calls,
 * and of the whole process with the thread that tidies.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EventLoopUtilization, monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { type Invocation, newId, systemClock } from '../src/core/index.ts'
import { createMetrics, createTelemetry } from '../src/telemetry/index.ts'

const perSecond = Number(process.argv[2] ?? 10_000)
const seconds = Number(process.argv[3] ?? 5)
const TICK_MS = 10
const folder = mkdtempSync(join(tmpdir(), 'atelier-bench-'))

const metrics = createMetrics()
const telemetry = createTelemetry({ path: join(folder, 'telemetry'), clock: systemClock })

await measure('nothing (floor)', () => {})
await measure('metrics alone', record => metrics.onInvocation(record))
await measure('telemetry', record => telemetry.onInvocation(record))
console.log(`dropped by the queue: ${telemetry.counts().recordsDropped}`)
await telemetry.close()
rmSync(folder, { recursive: true })

async function measure(name: string, remember: (record: Invocation) => void): Promise<void> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const before: EventLoopUtilization = performance.eventLoopUtilization()
  const cpu = process.threadCpuUsage()
  const cpuOfAll = process.cpuUsage()
  const startedAt = performance.now()
  let done = 0
  while (performance.now() - startedAt < seconds * 1000) {
    await new Promise(resolve => setTimeout(resolve, TICK_MS))
    const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond)
    for (; done < due; done++) remember(aRecord(done))
  }
  const used = process.threadCpuUsage(cpu)
  const usedOfAll = process.cpuUsage(cpuOfAll)
  delay.disable()
  const busy = performance.eventLoopUtilization(before).utilization
  const perCallUs = (used.user + used.system) / done
  const ofAllUs = (usedOfAll.user + usedOfAll.system) / done
  const p99Ms = delay.percentile(99) / 1e6
  const maxMs = delay.max / 1e6
  console.log(
    `${name.padEnd(16)} ${perCallUs.toFixed(2)} µs/call of the main thread, ${ofAllUs.toFixed(2)} of the process, loop busy ${(busy * 100).toFixed(1)} %, late p99 ${p99Ms.toFixed(1)} ms, max ${maxMs.toFixed(1)} ms`,
  )
}

function aRecord(i: number): Invocation {
  const now = Date.now()
  return {
    id: newId(now),
    projectId: '01k9zq5m3b8t5v2c7x4n6r1d0e',
    functionId: `01k9zq5m3b8t5v2c7x4n6r1d0${i % 10}`,
    functionName: `function-${i % 10}`,
    appName: 'bench',
    version: 1,
    trigger: 'http',
    status: 'ok',
    httpStatus: 200,
    cold: false,
    instanceId: '01k9zq5m3b8t5v2c7x4n6r1d0f',
    startedAt: now,
    queuedMs: 0.01,
    startingMs: 0,
    initialisingMs: 0,
    runningMs: 1.234,
    billedMs: 2,
    memoryMiB: 128,
    bytesIn: 0,
    bytesOut: 13,
  }
}
