import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import { loadTool } from './load.ts'
import { type Floor, holds, type Measure, type Row } from './row.ts'

/** A row and what came of it. */
export interface Outcome {
  readonly row: Row
  readonly measures: readonly Measure[]
  /** Why there are none. */
  readonly skipped?: string
  readonly failed?: string
}

export function isMissed({ measures, failed }: Outcome): boolean {
  return (
    failed !== undefined || measures.some(({ value, floor }) => floor !== undefined && !holds(value, floor))
  )
}

/** One outcome as lines for a terminal. */
export function describe({ row, measures, skipped, failed }: Outcome): string {
  const lines = [`${row.name}: ${row.title}`]
  if (skipped !== undefined) lines.push(`  skipped: ${skipped}`)
  if (failed !== undefined) lines.push(`  FAILED: ${failed}`)
  for (const measure of measures) {
    const { what, floor, goal, detail } = measure
    const verdict =
      floor === undefined
        ? ''
        : holds(measure.value, floor)
          ? `holds ${bound(floor)}`
          : `MISSES ${bound(floor)}`
    const beyond = goal === undefined ? '' : `, goal ${bound(goal)}`
    lines.push(
      `  ${what.padEnd(36)} ${show(measure).padStart(10)}  ${verdict}${beyond}${detail ? `  (${detail})` : ''}`,
    )
  }
  return lines.join('\n')
}

/** All outcomes as `bench/RESULTS.md`. */
export function results(outcomes: readonly Outcome[], startedAt: Date): string {
  const rows = outcomes.flatMap(({ row, measures, skipped, failed }) =>
    skipped !== undefined || failed !== undefined
      ? [`| ${row.title} | | ${skipped === undefined ? 'failed' : 'skipped'}: ${skipped ?? failed} | | |`]
      : measures.map((measure, i) => {
          const { what, floor, goal, detail } = measure
          const held =
            floor === undefined ? '' : `${bound(floor)}${holds(measure.value, floor) ? '' : ' **missed**'}`
          return `| ${i === 0 ? row.title : ''} | ${what} | ${show(measure)} | ${held}${goal ? `; then ${bound(goal)}` : ''} | ${detail ?? ''} |`
        }),
  )
  return `# Results of the last bench

Written by \`npm run bench\` on ${startedAt.toISOString().slice(0, 10)}. Ratios are medians over interleaved rounds in one run on one machine:
other machines give other times, but much the same ratios.

${machine()}

| measure | | value | hold | made of |
| --- | --- | --- | --- | --- |
${rows.join('\n')}
`
}

function machine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor'
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
  const load = readFileSync('/proc/loadavg', 'utf8').split(' ')[0]
  return `Machine: ${availableParallelism()} cores (${model}), ${memory}, Linux ${release()}, Node ${process.version}; load by ${loadTool}; load average at the end ${load}.`
}

function bound({ least, most }: Floor): string {
  return least === undefined ? `at most ${most}` : `at least ${least}`
}

function show({ value, unit }: Measure): string {
  if (unit === 'ratio') return value.toFixed(2)
  if (unit === 'errors') return String(value)
  return `${value < 100 ? value.toFixed(1) : Math.round(value)} ${unit}`
}
