import type { EventTrigger } from '../../core/index.ts'
import type { TriggerEvent } from '../kind.ts'
import type { ScheduleConfig } from './config.ts'

/** The event of a planned run. Its id is the time: two nodes that make it make one call. */
export function eventOf(trigger: EventTrigger, config: ScheduleConfig, planned: number): TriggerEvent {
  const time = new Date(planned).toISOString()
  return {
    id: time,
    source: `/projects/${trigger.projectName}/triggers/${trigger.name}`,
    type: 'atelier.schedule',
    subject: trigger.name,
    time: planned,
    ...(config.text === undefined
      ? {
          contentType: 'application/json',
          data: Buffer.from(JSON.stringify(config.data ?? { trigger: trigger.name, plannedAt: time })),
        }
      : {
          contentType: config.contentType ?? 'text/plain; charset=utf-8',
          data: Buffer.from(config.text),
        }),
  }
}
