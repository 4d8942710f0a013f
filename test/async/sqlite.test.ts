import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEventStore } from '../../src/store/index.ts'
import { asyncSuite } from '../suites/async.ts'

asyncSuite('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'atelier-async-'))
  const store = await openEventStore({ url: join(folder, 'events.db') })
  return {
    store,
    async dispose() {
      await store.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
})
