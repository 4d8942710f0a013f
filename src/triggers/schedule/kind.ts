import type { TriggerKind } from '../kind.ts'
import { Clockwork } from './clockwork.ts'
import { checkSchedule, type ScheduleConfig, ScheduleSchema } from './config.ts'
import { eventOf } from './event.ts'
import { RunningSchedule } from './run.ts'

/** Triggers that a clock makes. All of them share one clockwork. */
export function createScheduleKind(): TriggerKind {
  let clockwork: Clockwork | undefined
  return {
    kind: 'schedule',
    summary: 'Call a function at times: cron, intervals, or once.',
    configSchema: ScheduleSchema,
    secretFields: [],
    hasUrl: false,
    check: (config, now) => checkSchedule(config, now),
    start(trigger, host) {
      clockwork ??= new Clockwork(host.clock)
      return new RunningSchedule(trigger, host, clockwork)
    },
    sample: (trigger, now) => eventOf(trigger, trigger.config as unknown as ScheduleConfig, now),
  }
}
