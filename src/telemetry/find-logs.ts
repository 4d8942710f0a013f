import { type LogLine, timeOfId } from '../core/index.ts'
import type { Question } from './answers.ts'
import { asInBody, decodeLines, type LogMeta } from './log-block.ts'
import type { Segment } from './segment.ts'
import type { Block, SegmentFiles } from './segment-files.ts'

const BYTES_SEARCHED_MAX = 512 * 1024 ** 2 // for one answer: about half a second, far more where the text is found often
const ANSWER_BYTES_MAX = 32 * 1024 ** 2

/** The newest lines that match, oldest first; fewer than asked for where they are longer than an answer may be. */
export function listLines(files: SegmentFiles, question: Question<'logs'>): readonly LogLine[] {
  const { invocationId } = question.filter
  return invocationId === undefined
    ? newestFirst(files, question)
    : ofInvocation(files, question, invocationId)
}

function newestFirst(files: SegmentFiles, question: Question<'logs'>): readonly LogLine[] {
  const { projectId, limit, mark } = question
  const search = new Search(files, question)
  const found: LogLine[] = []
  let bytes = 0
  for (const segment of files.segments(projectId, 'logs', mark).toReversed()) {
    for (const block of files.blocks<LogMeta>(projectId, segment, mark).toReversed())
      for (const line of search.linesIn(segment, block).toReversed()) {
        bytes += line.text.length
        if (found.length === limit || bytes > ANSWER_BYTES_MAX) return found.toReversed()
        found.push(line)
      }
    if (found.length === limit || segment.ceilingMs <= search.sinceMs || search.isTired) break
  }
  return found.toReversed()
}

/** What a call says comes soon after its id was made: the search begins there, and ends with all or with the limit of its reading. */
function ofInvocation(
  files: SegmentFiles,
  question: Question<'logs'>,
  invocationId: string,
): readonly LogLine[] {
  const { projectId, limit, mark } = question
  const madeMs = timeOfId(invocationId)
  const search = new Search(files, question)
  let found: LogLine[] = []
  const segments = files.segments(projectId, 'logs', mark)
  for (const [i, segment] of segments.entries()) {
    const next = segments[i + 1]
    if ((next && next.ceilingMs <= madeMs) || search.isTired) continue
    for (const block of files.blocks<LogMeta>(projectId, segment, mark)) {
      if (search.isTired) break
      found.push(...search.linesIn(segment, block))
      if (found.length > 2 * limit) found = fitting(found, limit)
    }
  }
  return fitting(found, limit)
}

/** The last that are not too many and not too long. */
function fitting(lines: readonly LogLine[], limit: number): LogLine[] {
  let first = lines.length
  for (let bytes = 0; first > 0 && lines.length - first < limit; first--) {
    bytes += lines[first - 1]!.text.length
    if (bytes > ANSWER_BYTES_MAX) break
  }
  return lines.slice(first)
}

class Search {
  readonly sinceMs: number
  readonly #files: SegmentFiles
  readonly #question: Question<'logs'>
  readonly #texts: readonly string[]
  #searched = 0

  constructor(files: SegmentFiles, question: Question<'logs'>) {
    const { invocationId, contains, sinceMs = 0 } = question.filter
    this.#files = files
    this.#question = question
    this.#texts = [invocationId, contains].filter(each => each !== undefined).map(asInBody)
    this.sinceMs = Math.max(question.sinceMs, sinceMs)
  }

  get isTired(): boolean {
    return this.#searched > BYTES_SEARCHED_MAX
  }

  /** In the order of their coming. */
  linesIn(segment: Segment, block: Block<LogMeta>): readonly LogLine[] {
    const { projectId, filter } = this.#question
    const { functionId, invocationId, version, contains, untilMs = Number.POSITIVE_INFINITY } = filter
    const { meta } = block
    if (meta.max < this.sinceMs || meta.min >= untilMs || this.isTired) return []
    if (functionId !== undefined && !meta.functions.includes(functionId)) return []
    this.#searched += block.bodyBytes
    const body = this.#files.body(projectId, segment, block)
    if (!body || !this.#texts.every(text => body.includes(text))) return []
    return decodeLines(projectId, meta, body).filter(
      line =>
        line.at >= this.sinceMs &&
        line.at < untilMs &&
        (functionId === undefined || line.functionId === functionId) &&
        (invocationId === undefined || line.invocationId === invocationId) &&
        (version === undefined || line.version === version) &&
        (contains === undefined || line.text.includes(contains)),
    )
  }
}
