import { openEventStore, openStore, type StoreKind, type StoreStatus, storeStatus } from '../store/index.ts'
import { readConfig } from './config.ts'
import { databasesOf } from './databases.ts'
import { openHome } from './home.ts'

/** The tables of a server with this configuration. */
export interface TablesStatus extends StoreStatus {
  readonly kind: StoreKind
}

type Sources = Parameters<typeof readConfig>[0]

/** Looks at them and changes nothing. */
export async function tablesStatus(sources: Sources): Promise<readonly TablesStatus[]> {
  const config = await readConfig(sources)
  const urls = databasesOf(config, openHome(config.home))
  return Promise.all([statusOf(urls.control, 'control'), statusOf(urls.events, 'events')])
}

/**
 * Brings them up to date, one process at a time; resolves with how they were before. Rejects with INVALID_INPUT when they are of a newer
 * Atelier, and with UNAVAILABLE while a server uses the file that they are in.
 */
export async function migrateTables(sources: Sources): Promise<readonly TablesStatus[]> {
  const before = await tablesStatus(sources)
  const config = await readConfig(sources)
  const urls = databasesOf(config, openHome(config.home))
  await (await openStore({ url: urls.control })).close()
  await (await openEventStore({ url: urls.events })).close()
  return before
}

async function statusOf(url: string, kind: StoreKind): Promise<TablesStatus> {
  return { kind, ...(await storeStatus(url, kind)) }
}
