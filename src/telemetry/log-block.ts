import type { LogLine } from '../core/index.ts'
import { encodeBlock } from './block.ts'

/** What a reader looks at before it takes a block of lines. */
export interface LogMeta {
  readonly count: number
  /** Times of the earliest and the latest line. */
  readonly min: number
  readonly max: number
  readonly functions: readonly string[]
}

type Row = [
  at: number,
  source: number,
  version: number,
  instanceId: string,
  invocationId: string | 0,
  stream: LogLine['stream'],
  text: string,
]

/** One project's lines, in the order of their coming. */
export function encodeLines(lines: readonly LogLine[]): { block: Buffer; newestMs: number } {
  const places = new Map<string, number>()
  const functions: string[] = []
  let min = Number.MAX_SAFE_INTEGER
  let max = 0
  const rows = lines.map((line): Row => {
    let place = places.get(line.functionId)
    if (place === undefined) places.set(line.functionId, (place = functions.push(line.functionId) - 1))
    if (line.at < min) min = line.at
    if (line.at > max) max = line.at
    const { at, version, instanceId, invocationId = 0, stream, text } = line
    return [at, place, version, instanceId, invocationId, stream, text]
  })
  const meta: LogMeta = { count: lines.length, min, max, functions }
  return { block: encodeBlock(meta, [Buffer.from(JSON.stringify(rows))]), newestMs: max }
}

export function decodeLines(projectId: string, meta: LogMeta, body: Buffer): LogLine[] {
  const rows = JSON.parse(body.toString()) as readonly Row[]
  return rows.map(([at, source, version, instanceId, invocationId, stream, text]) => ({
    at,
    projectId,
    functionId: meta.functions[source]!,
    version,
    instanceId,
    ...(invocationId !== 0 && { invocationId }),
    stream,
    text,
  }))
}

/** How a text stands in a body: a block without it has no line with the text. */
export function asInBody(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}
