import { isServerUri } from '../store/index.ts'
import type { ServerConfig } from './config.ts'
import type { Home } from './home.ts'

/** Where both planes keep their tables: in one database of a server, or in two files, since SQLite has one writer for each. */
export function databasesOf(
  config: Pick<ServerConfig, 'db-uri'>,
  home: Pick<Home, 'databasePath' | 'eventsPath'>,
): { readonly control: string; readonly events: string } {
  const uri = config['db-uri']
  if (uri === '') return { control: home.databasePath, events: home.eventsPath }
  return isServerUri(uri) ? { control: uri, events: uri } : { control: uri, events: home.eventsPath }
}
