import type { Invocation, InvocationStatus, LogLine } from '../core/index.ts'

/** Where records and logs go. Called on a call's way: must only append to memory and return. */
export interface CallObserver {
  onInvocation(record: Invocation): void
  onLog(line: LogLine): void
}

/** What is remembered of calls, and read back by API and CLI. Writing is behind `CallObserver`, in batches. */
export interface TelemetryReader {
  /** Of an asynchronous call the newest attempt. NOT_FOUND when it is not in this project, or no longer kept. */
  getInvocation(projectId: string, id: string): Promise<Invocation>
  /** What is kept of the attempts of an asynchronous call, oldest first; none for a call that was made directly. */
  listAttempts(projectId: string, id: string): Promise<readonly Invocation[]>
  /** Newest first. */
  listInvocations(
    projectId: string,
    filter: InvocationFilter,
    page: { limit?: number; cursor?: string },
  ): Promise<RecordPage>
  /** Oldest first within the page; the page is the newest `limit` lines that match. */
  listLogs(projectId: string, filter: LogFilter, limit: number): Promise<readonly LogLine[]>
  /**
   * Every line that is observed from now on, until the returned function is called. The next line waits for the promise
   * that `onLine` returned. A slow reader loses lines and is told so with a line of stream `platform`. Together with
   * `listLogs` called in the same tick, no line is missed and none comes twice.
   */
  followLogs(
    projectId: string,
    filter: LogFilter,
    onLine: (line: LogLine) => void | Promise<void>,
  ): () => void
  /** Sums per function and day (UTC) in [from, to). */
  usage(
    projectId: string,
    filter: { functionId?: string; fromMs: number; toMs: number },
  ): Promise<readonly UsageRow[]>
}

/** A page of records, newest first. */
export interface RecordPage {
  readonly items: readonly Invocation[]
  /** The id by which each item has its place: its own, and of an attempt, which has its call's id, the one that it was kept under. */
  readonly places: readonly string[]
  readonly next?: string
}

/** What is not given does not matter. Times are epoch ms. */
export interface InvocationFilter {
  readonly appName?: string
  /** Only together with `appName`. */
  readonly functionName?: string
  readonly functionId?: string
  readonly version?: number
  /** What caused the calls: `http`, `invoke`, `schedule`, …; and which trigger, by name. */
  readonly trigger?: string
  readonly triggerName?: string
  readonly status?: InvocationStatus
  readonly sinceMs?: number
  readonly untilMs?: number
}

/** What is not given does not matter. Times are epoch ms. */
export interface LogFilter {
  readonly functionId?: string
  readonly invocationId?: string
  readonly version?: number
  readonly sinceMs?: number
  readonly untilMs?: number
  readonly contains?: string
}

/** What one function used on one day (UTC, `2030-01-31`). */
export interface UsageRow {
  readonly day: string
  readonly functionId: string
  readonly appName: string
  readonly functionName: string
  readonly calls: number
  readonly errors: number
  readonly billedMs: number
  /** Billed time times reserved memory. */
  readonly memoryMiBMs: number
  readonly bytesIn: number
  readonly bytesOut: number
}
