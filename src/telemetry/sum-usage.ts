import type { UsageRow } from './telemetry.ts'

/** Both together; what they are called is as the later one says. */
export function sumOf(known: UsageRow | undefined, row: UsageRow): UsageRow {
  if (known === undefined) return row
  return {
    ...row,
    calls: known.calls + row.calls,
    errors: known.errors + row.errors,
    billedMs: known.billedMs + row.billedMs,
    memoryMiBMs: known.memoryMiBMs + row.memoryMiBMs,
    bytesIn: known.bytesIn + row.bytesIn,
    bytesOut: known.bytesOut + row.bytesOut,
  }
}
