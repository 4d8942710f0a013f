import { readFileSync } from 'node:fs'

const TICK_US = 10_000 // of /proc/PID/stat on every Linux that counts (USER_HZ is 100)

/** Processor time that a process has used in all its threads, in microseconds: steadier than the clock on a busy machine. */
export function processorTimeUs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name in parentheses may hold anything; what follows it does not.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_US
}
