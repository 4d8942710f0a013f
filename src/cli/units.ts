import { parseDuration } from '../core/index.ts'

/** What people type for times and sizes, and how these are shown to them. Pure; `undefined` for what cannot be read. */

/** MiB of `128`, `256Mi`, `256MiB`, `1Gi`, `512M`. Whole numbers of MiB only. */
export function parseMemory(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(m|g)?i?b?$/i.exec(text)
  if (!match) return undefined
  const value = Number(match[1]) * (match[2]?.toLowerCase() === 'g' ? 1024 : 1)
  return Number.isInteger(value) && value > 0 ? value : undefined
}

/** Bytes of `5Gi`, `512Mi`, `64Ki`, `1048576`. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,15}(?:\.\d+)?)\s*(k|m|g|t)?i?b?$/i.exec(text)
  if (!match) return undefined
  const power = 'kmgt'.indexOf(match[2]?.toLowerCase() ?? '-') + 1
  const value = Number(match[1]) * 1024 ** power
  return Number.isSafeInteger(value) ? value : undefined
}

/** `5 GiB`: as quotas are set; what is no round number has one digit behind the point. */
export function showSize(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10))
  const value = bytes / 1024 ** power
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`
}

/** Millicores of `500m`, `0.5`, `2`. */
export function parseCpu(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(m)?$/.exec(text)
  if (!match) return undefined
  const value = Math.round(Number(match[1]) * (match[2] ? 1 : 1000))
  return value > 0 ? value : undefined
}

/** RFC 3339 of a date, or of a time ago. */
export function parseSince(text: string, nowMs: number): string | undefined {
  const agoMs = parseDuration(text)
  if (agoMs !== undefined) return new Date(nowMs - agoMs).toISOString()
  const atMs = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(atMs) ? undefined : new Date(atMs).toISOString()
}

/** `1.4 MB`: decimal units, as disks and bills have them. */
export function showBytes(bytes: number): string {
  return scaled(bytes, 1000, ['B', 'kB', 'MB', 'GB', 'TB'])
}

/** `12.3 MiB`: binary units, as memory has them. */
export function showMemory(bytes: number): string {
  return scaled(bytes, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB'])
}

function scaled(amount: number, base: number, units: readonly string[]): string {
  let rest = amount
  let unit = 0
  while (rest >= base && unit < units.length - 1) {
    rest /= base
    unit++
  }
  return `${unit === 0 || rest >= 100 ? Math.round(rest) : rest.toFixed(1)} ${units[unit]}`
}

/** `0.42 ms`, `13 ms`, `2.5 s`, `3m 20s`, `5h 2m`, `3d 4h`. */
export function showDuration(ms: number): string {
  if (ms < 10) return `${Number(ms.toFixed(2))} ms`
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${Number((ms / 1000).toFixed(1))} s`
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 60) return `${minutes}m ${Math.floor((ms % 60_000) / 1000)}s`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return `${hours}h ${minutes % 60}m`
  return `${Math.floor(hours / 24)}d ${hours % 24}h`
}

/** How long ago an RFC 3339 time was: `3m ago`. */
export function showAgo(time: string | undefined, nowMs: number): string {
  if (time === undefined) return ''
  const ms = nowMs - Date.parse(time)
  if (Number.isNaN(ms)) return time
  if (ms < 1000) return 'now'
  const [size, unit] =
    ms < 60_000
      ? ([1000, 's'] as const)
      : ms < 3_600_000
        ? ([60_000, 'm'] as const)
        : ms < 86_400_000
          ? ([3_600_000, 'h'] as const)
          : ([86_400_000, 'd'] as const)
  return `${Math.floor(ms / size)}${unit} ago`
}
