import { type Clock, type Invocation, type LogLine, newId, systemClock } from '../../src/core/index.ts'

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
