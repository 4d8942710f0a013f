import { nearest } from '../nearest.ts'
import type { Client } from './client.ts'

/** A kind of thing that the API has by name. */
interface Listed {
  /** A path of the API that begins so names one of them. */
  readonly pattern: RegExp
  readonly list: string
  /** The command that shows what there is. */
  readonly command: string
}

const LISTED: readonly Listed[] = [
  {
    pattern: /^\/v1\/apps\/([^/?]+)\/functions\/([^/?]+)/,
    list: '/v1/functions',
    command: 'atelier function list',
  },
  { pattern: /^\/v1\/apps\/([^/?]+)/, list: '/v1/apps', command: 'atelier app list' },
  { pattern: /^\/v1\/triggers\/([^/?]+)/, list: '/v1/triggers', command: 'atelier trigger list' },
  { pattern: /^\/v1\/topics\/([^/?]+)/, list: '/v1/topics', command: 'atelier topic list' },
  { pattern: /^\/v1\/secrets\/([^/?]+)/, list: '/v1/secrets', command: 'atelier secret list' },
  { pattern: /^\/v1\/projects\/([^/?]+)/, list: '/v1/projects', command: 'atelier project list' },
]
const NAMES_MAX = 1_000

interface Named {
  readonly name: string
  readonly appName?: string
}

/**
 * What was likely meant by the name in `path`, of which the API knows nothing: a hint. Of a function that is there, it is a
 * version or an alias that is not; of other things `undefined`. Never rejects: whoever mistyped a name has an error already.
 */
export async function suggestionFor(path: string, client: Client): Promise<string | undefined> {
  const listed = LISTED.find(each => each.pattern.test(path))
  if (!listed) return undefined
  const parts = listed.pattern.exec(path)!.slice(1).map(decodeURIComponent)
  const name = parts.at(-1)!
  const app = parts.length > 1 ? parts[0] : undefined
  const items = await client.all<Named>(listed.list, {}, NAMES_MAX).catch(() => undefined)
  if (!items) return undefined
  if (items.some(each => each.name === name && each.appName === app))
    return app && `"atelier version list ${app}/${name}" shows its versions and their aliases.`
  const shown = `"${listed.command}" shows what there is.`
  if (items.length === NAMES_MAX) return shown // it may be among those that were not looked at
  const meant =
    items.find(each => each.name === name) ?? // of another app
    nearestOf(
      name,
      items.filter(each => each.appName === app),
    ) ??
    nearestOf(name, items)
  if (!meant) return shown
  return `Did you mean ${meant.appName === undefined ? meant.name : `${meant.appName}/${meant.name}`}? ${shown}`
}

function nearestOf(name: string, items: readonly Named[]): Named | undefined {
  const known = nearest(
    name,
    items.map(each => each.name),
  )
  return items.find(each => each.name === known)
}
