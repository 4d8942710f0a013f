import { noSuch, type Principal } from '../core/index.ts'
import { type Context, need } from './context.ts'
import type { Control, HttpTriggerInput, TriggerInput, TriggerView } from './control.ts'
import { eventTriggers } from './event-triggers.ts'
import { httpTriggers } from './http-triggers.ts'

type TriggerOperations = Pick<
  Control,
  'createTrigger' | 'getTrigger' | 'listTriggers' | 'updateTrigger' | 'deleteTrigger' | 'rotateTrigger'
>

/** Routes and event triggers as one noun: they are kept apart, and share their names. */
export function triggerOperations(context: Context): TriggerOperations {
  const http = httpTriggers(context)
  const events = eventTriggers(context)
  const { cursors } = context

  return {
    async createTrigger(by, input) {
      need(by, 'write')
      return isRoute(input) ? http.create(by, input) : events.create(by, input)
    },

    async getTrigger(by, name) {
      need(by, 'read')
      return needTrigger(by, name)
    },

    async listTriggers(by, { kind, ...filter }, request) {
      need(by, 'read')
      const list = `triggers of ${by.projectId}`
      const { limit, after } = cursors.open(list, request)
      const from = String(after?.[0] ?? '')
      const found: TriggerView[] = []
      if (kind === undefined || kind === 'http') found.push(...(await http.list(by, filter, from, limit + 1)))
      if (kind !== 'http') found.push(...(await events.list(by, { ...filter, kind }, from, limit + 1)))
      found.sort((a, b) => (a.name < b.name ? -1 : 1))
      return cursors.page(
        list,
        found,
        limit,
        each => [each.name],
        each => each,
      )
    },

    async updateTrigger(by, name, change, expected) {
      need(by, 'write')
      const { kind } = await needTrigger(by, name)
      return kind === 'http'
        ? http.update(by, name, change, expected)
        : events.update(by, name, change, expected)
    },

    async deleteTrigger(by, name, expected) {
      need(by, 'write')
      const { kind } = await needTrigger(by, name)
      await (kind === 'http' ? http : events).remove(by, name, expected)
    },

    async rotateTrigger(by, name, graceMs) {
      need(by, 'write')
      return events.rotate(by, name, graceMs)
    },
  }

  async function needTrigger(by: Principal, name: string): Promise<TriggerView> {
    const found = (await http.find(by, name)) ?? (await events.find(by, name))
    if (!found) throw noSuch('trigger', name)
    return found
  }
}

function isRoute(input: TriggerInput): input is HttpTriggerInput {
  return input.kind === undefined || input.kind === 'http'
}
