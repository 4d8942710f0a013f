import type { Limits } from '../../core/index.ts'
import { Groups, leastAbove, readText } from './groups.ts'

const MIB = 1024 * 1024
const MILLI = 1_000

/**
 * Which of its limits do not hold process `pid`, by what the kernel says and not by what the engine was asked: engines of ordinary users leave
 * out what they may not set. None when all hold, or when it has ended.
 */
export function looseLimits(pid: number, limits: Limits): readonly string[] {
  const groups = new Groups(pid)
  const { unified } = groups
  const least = (controller: string, first: Reader, second: Reader) => {
    const folder = groups.of(controller)
    if (folder !== undefined) return leastAbove(folder, first)
    return unified && leastAbove(unified, second)
  }
  const has = {
    memory: least('memory', numberIn('memory.limit_in_bytes'), numberIn('memory.max')),
    processes: least('pids', numberIn('pids.max'), numberIn('pids.max')),
    'processor time': least('cpu', quotaIn, shareIn),
  }
  const wanted = {
    memory: limits.memoryMiB * MIB,
    processes: limits.processesMax,
    'processor time': limits.cpuMillicores,
  }
  const names = Object.keys(has) as (keyof typeof has)[]
  const loose = names.filter(name => wanted[name] !== undefined && !(Number(has[name]) <= wanted[name]))
  // One that ends leaves its groups first.
  return loose.length > 0 && isRunning(pid) ? loose : []
}

/**
 * Whether process `pid` is root on this machine, by what the kernel says: the name of an image's user says nothing, since the image has its
 * own list of users. False when it has ended.
 */
export function isRootHere(pid: number): boolean {
  const ids = /^Uid:\s+(\d+)\s+(\d+)/m.exec(readText(`/proc/${pid}/status`) ?? '')
  return ids !== null && (Number(ids[1]) === 0 || Number(ids[2]) === 0) && isRunning(pid)
}

function isRunning(pid: number): boolean {
  // `12 (name) R 1 …`: the name may have spaces and brackets of its own.
  const stat = readText(`/proc/${pid}/stat`) ?? ''
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state] = fields
  return state !== '' && state !== 'Z' && state !== 'X' && (Number(fields[FLAGS]) & EXITING) === 0
}

const FLAGS = 6
const EXITING = 4 // one that has left its groups, and is not yet dead

type Reader = (folder: string) => number | undefined

/** Millicores, by control groups of version 1. */
function quotaIn(folder: string): number | undefined {
  const quota = numberIn('cpu.cfs_quota_us')(folder)
  const period = numberIn('cpu.cfs_period_us')(folder)
  return quota === undefined || period === undefined ? undefined : (quota / period) * MILLI
}

/** Millicores, by those of version 2: `50000 100000` is half a processor. */
function shareIn(folder: string): number | undefined {
  const [quota, period] = (readText(`${folder}/cpu.max`) ?? '').trim().split(' ')
  return !period || quota === 'max' ? undefined : (Number(quota) / Number(period)) * MILLI
}

/** `max` and -1 bound nothing. */
function numberIn(file: string): Reader {
  return folder => {
    const value = Number(readText(`${folder}/${file}`) ?? Number.NaN)
    return value >= 0 && Number.isFinite(value) ? value : undefined
  }
}
