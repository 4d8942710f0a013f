import type { QueueStatus } from '../async/index.ts'
import type { PackageInfo, TriggerView } from '../control/index.ts'
import type {
  Alias,
  App,
  AsyncCall,
  FunctionRecord,
  FunctionTable,
  Invocation,
  LogLine,
  Principal,
  Project,
  SecretInfo,
  TriggerStatus,
  Version,
  Wire,
} from '../core/index.ts'
import type { User } from '../identity/index.ts'
import type { InstanceView } from '../pool/index.ts'
import type { RecordedRequest, Triggers } from '../triggers/index.ts'

/** The nouns as they go over the wire: the same fields, with times as RFC 3339 in UTC. */

export function time(ms: number): string {
  return new Date(ms).toISOString()
}

function stamped<T extends { readonly createdAt: number; readonly updatedAt: number }>(thing: T): Wire<T> {
  return { ...thing, createdAt: time(thing.createdAt), updatedAt: time(thing.updatedAt) } as Wire<T>
}

export const projectView = (project: Project) => stamped(project)
export const appView = (app: App) => stamped(app)
export const secretView = (secret: SecretInfo) => stamped(secret)

/** With how it does, when it waits for events. */
export function triggerView(trigger: TriggerView, triggers: Pick<Triggers, 'status'>) {
  if (trigger.kind === 'http') return stamped(trigger)
  return { ...stamped(trigger), status: statusView(triggers.status(trigger.id)) }
}

function statusView({ lastEventAt, lastErrorAt, nextAt, ...status }: TriggerStatus) {
  return {
    ...status,
    ...(lastEventAt !== undefined && { lastEventAt: time(lastEventAt) }),
    ...(lastErrorAt !== undefined && { lastErrorAt: time(lastErrorAt) }),
    ...(nextAt && { nextAt: nextAt.map(time) }),
  }
}

export function recordedRequestView(request: RecordedRequest) {
  return { ...request, receivedAt: time(request.receivedAt) }
}

/** With the address that the live alias answers at. */
export function functionView(record: FunctionRecord, by: Principal, routerUrl: string) {
  const path = [by.projectName, record.appName, record.name].map(encodeURIComponent).join('/')
  return { ...stamped(record), url: `${routerUrl}/${path}` }
}

export function versionView(version: Version): Wire<Version> {
  return { ...version, createdAt: time(version.createdAt) }
}

export function aliasView(alias: Alias): Wire<Alias> {
  return { ...alias, updatedAt: time(alias.updatedAt) }
}

export function packageView(info: PackageInfo): Wire<PackageInfo> {
  return { ...info, createdAt: time(info.createdAt) }
}

export function userView(user: User): Wire<User> {
  return { ...user, createdAt: time(user.createdAt) }
}

export function invocationView(invocation: Invocation): Wire<Invocation> {
  return { ...invocation, startedAt: time(invocation.startedAt) }
}

export function asyncCallView(call: AsyncCall): Wire<AsyncCall> {
  const { startedAt, endedAt, keptUntil } = call
  return {
    ...call,
    acceptedAt: time(call.acceptedAt),
    dueAt: time(call.dueAt),
    ...(startedAt !== undefined && { startedAt: time(startedAt) }),
    ...(endedAt !== undefined && { endedAt: time(endedAt) }),
    ...(keptUntil !== undefined && { keptUntil: time(keptUntil) }),
  } as Wire<AsyncCall>
}

export function queueView(queue: QueueStatus, paused: boolean) {
  const { oldestDueAt, ...counts } = queue
  return { ...counts, ...(oldestDueAt !== undefined && { oldestDueAt: time(oldestDueAt) }), paused }
}

export function logView(line: LogLine): Wire<LogLine> {
  return { ...line, at: time(line.at) }
}

/** With the names of the function; one that was deleted while the instance drains has none any more. */
export function instanceView(instance: InstanceView, table: FunctionTable) {
  const owner = instance.functionId === undefined ? undefined : table.functions.get(instance.functionId)
  return {
    ...instance,
    ...(owner && { appName: owner.appName, functionName: owner.name }),
    startedAt: time(instance.startedAt),
  }
}

/** A page with each item shown. */
export function pageView<T, V>(
  page: { readonly items: readonly T[]; readonly next?: string },
  view: (item: T) => V,
) {
  return { items: page.items.map(view), ...(page.next !== undefined && { next: page.next }) }
}

/** Text of a query as epoch milliseconds; the schema has checked its form. */
export function msOf(text: string): number {
  return Date.parse(text)
}
