import { AtelierError, type Clock, type Invocation, type LogLine } from '../core/index.ts'
import type { NodeAnswer, NodeQuestion, Peers } from '../nodes/index.ts'
import { readCursor, writeCursor } from './cursor.ts'
import { sumOf } from './sum-usage.ts'
import type { RecordPage, TelemetryReader, UsageRow } from './telemetry.ts'

const LOOK_FOR_NODES_MS = 2_000
const PAGE_DEFAULT = 100
const LOGS = 'followLogs'

/** What nodes ask each other: the questions of a reader, without those that go on. */
type Asked = Exclude<keyof TelemetryReader, typeof LOGS>
const ASKED: ReadonlySet<string> = new Set<Asked>([
  'getInvocation',
  'listAttempts',
  'listInvocations',
  'listLogs',
  'usage',
])

/**
 * Records and logs of all nodes that are alive, each of which keeps those of the calls that it ran. What a node that does not answer
 * has is left out, and is there again with it.
 */
export function readAllNodes(own: TelemetryReader, peers: Peers, clock: Clock): TelemetryReader {
  /** The values of all others; throws only what this question itself is refused with. */
  async function ask<T>(name: Asked, args: readonly unknown[]): Promise<T[]> {
    const answers = await peers.askAll({ ask: name, args })
    return answers.flatMap(answer => ('value' in answer ? [answer.value as T] : []))
  }

  return {
    async getInvocation(projectId, id) {
      const mine = await settled(own.getInvocation(projectId, id))
      // Attempts of an asynchronous call may be on several nodes.
      if (mine.value && mine.value.attempt === undefined) return mine.value
      const theirs = await ask<Invocation>('getInvocation', [projectId, id])
      const found = [...(mine.value ? [mine.value] : []), ...theirs]
      const newest = found.sort((a, b) => (a.attempt ?? 0) - (b.attempt ?? 0)).at(-1)
      if (!newest) throw mine.error
      return newest
    },

    async listAttempts(projectId, id) {
      const all = await Promise.all([
        own.listAttempts(projectId, id),
        ask<readonly Invocation[]>('listAttempts', [projectId, id]).then(each => each.flat()),
      ])
      return all.flat().sort((a, b) => (a.attempt ?? 0) - (b.attempt ?? 0))
    },

    async listInvocations(projectId, filter, page) {
      const [mine, theirs] = await Promise.all([
        own.listInvocations(projectId, filter, page),
        ask<RecordPage>('listInvocations', [projectId, filter, page]),
      ])
      return mergePages([mine, ...theirs], page.limit ?? PAGE_DEFAULT)
    },

    async listLogs(projectId, filter, limit) {
      const [mine, theirs] = await Promise.all([
        own.listLogs(projectId, filter, limit),
        ask<readonly LogLine[]>('listLogs', [projectId, filter, limit]),
      ])
      return [mine, ...theirs]
        .flat()
        .sort((a, b) => a.at - b.at)
        .slice(limit === 0 ? Number.MAX_SAFE_INTEGER : -limit)
    },

    followLogs(projectId, filter, onLine) {
      const stopped = new AbortController()
      const followed = new Set<string>()
      const stopOwn = own.followLogs(projectId, filter, onLine)
      /** Nodes come and go while somebody reads. */
      const look = (): void => {
        if (stopped.signal.aborted) return
        for (const url of peers.urls) if (!followed.has(url)) void follow(url)
        cancel = clock.after(LOOK_FOR_NODES_MS, look)
      }
      let cancel = (): void => {}
      const follow = async (url: string): Promise<void> => {
        followed.add(url)
        try {
          const question: NodeQuestion = { ask: LOGS, args: [projectId, filter] }
          for await (const line of peers.follow(url, question, stopped.signal)) await onLine(line as LogLine)
        } catch {
          // It is looked for again.
        }
        followed.delete(url)
      }
      look()
      return () => {
        stopped.abort()
        cancel()
        stopOwn()
      }
    },

    async usage(projectId, filter) {
      const [mine, theirs] = await Promise.all([
        own.usage(projectId, filter),
        ask<readonly UsageRow[]>('usage', [projectId, filter]),
      ])
      return sumUsage([mine, ...theirs].flat())
    },
  }
}

/** Answers another node from what is kept here. `follow` gets the lines of a question that goes on, until the returned function is called. */
export async function answerNode(
  own: TelemetryReader,
  { ask, args }: NodeQuestion,
  follow: (begin: (onLine: (line: LogLine) => void | Promise<void>) => () => void) => void,
): Promise<NodeAnswer | undefined> {
  if (ask === LOGS) {
    const [projectId, filter] = args as unknown as Parameters<TelemetryReader[typeof LOGS]>
    follow(onLine => own.followLogs(projectId, filter, onLine))
    return undefined
  }
  if (!ASKED.has(ask)) throw new AtelierError('INVALID_INPUT', 'Nodes do not ask this.')
  try {
    const question = own[ask as Asked] as (...all: unknown[]) => Promise<unknown>
    return { value: await question.apply(own, [...args]) }
  } catch (error) {
    if (error instanceof AtelierError) return { code: error.code, message: error.message }
    throw error
  }
}

/**
 * One page of several, newest first. A node whose page is full may have more below its last record: what is older than the newest
 * of those ends is left to the next page.
 */
function mergePages(pages: readonly RecordPage[], limit: number): RecordPage {
  const ends = pages.flatMap(({ next }) => (next === undefined ? [] : [readCursor(next)]))
  const floor = ends.sort().at(-1)
  const placed = pages
    .flatMap(({ items, places }) => items.map((item, at) => ({ item, place: places[at]! })))
    .filter(({ place }) => floor === undefined || place >= floor)
    .sort((a, b) => (a.place < b.place ? 1 : -1))
  const shown = placed.slice(0, limit)
  const next = placed.length > limit ? shown.at(-1)!.place : floor
  return {
    items: shown.map(({ item }) => item),
    places: shown.map(({ place }) => place),
    ...(next !== undefined && { next: writeCursor(next) }),
  }
}

function sumUsage(rows: readonly UsageRow[]): readonly UsageRow[] {
  const sums = new Map<string, UsageRow>()
  for (const row of rows) {
    const key = `${row.day} ${row.functionId}`
    sums.set(key, sumOf(sums.get(key), row))
  }
  return [...sums.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
}

function keyOf({ day, appName, functionName }: UsageRow): string {
  return `${day} ${appName} ${functionName}`
}

async function settled<T>(
  work: Promise<T>,
): Promise<
  { readonly value: T; readonly error?: never } | { readonly value?: never; readonly error: unknown }
> {
  try {
    return { value: await work }
  } catch (error) {
    return { error }
  }
}
