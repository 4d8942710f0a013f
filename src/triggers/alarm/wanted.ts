import type { Alarm } from './alarm.ts'
import type { AlarmConfig } from './config.ts'

/** Whether an alarm is one that the trigger wants; repetitions are another question. Pure. */
export function isWanted({ states, severities, names, labels }: AlarmConfig, alarm: Alarm): boolean {
  if (!states.includes(alarm.state)) return false
  if (severities && !severities.includes(alarm.severity?.toLowerCase() ?? '')) return false
  if (names && !names.some(pattern => fits(pattern, alarm.name))) return false
  return Object.entries(labels ?? {}).every(([name, patterns]) => {
    const value = Object.hasOwn(alarm.labels, name) ? alarm.labels[name]! : ''
    return patterns.some(pattern => fits(pattern, value))
  })
}

/** Whether a text fits a pattern in which `*` stands for anything. Takes time by the length of both, whatever they hold. */
export function fits(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  if (!text.startsWith(first)) return false
  const last = rest.pop()
  if (last === undefined) return text === pattern
  let from = first.length
  for (const part of rest) {
    const found = text.indexOf(part, from)
    if (found < 0) return false
    from = found + part.length
  }
  return text.length - last.length >= from && text.endsWith(last)
}
