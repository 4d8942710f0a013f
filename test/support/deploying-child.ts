// A server that deploys without end, for the tests that kill it: `node deploying-child.ts <folder>`. Each change that was
// acknowledged is a line of JSON on its standard output.
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { createControl, openSecretKeys } from '../../src/control/index.ts'
import { FunctionTable, type Principal, systemClock } from '../../src/core/index.ts'
import { openStore } from '../../src/store/index.ts'
import { fileEnvironment } from './control.ts'
import { MemoryBuilder } from './memory-builder.ts'

export interface Acknowledged {
  readonly name: string
  readonly version: number
  readonly bundleDigest: string
}

const PROJECT = { id: 'crash', name: 'crash' }

const [, , folder = ''] = process.argv
const store = await openStore({ url: join(folder, 'atelier.db') })
const existing = await store.db.selectFrom('projects').select('id').executeTakeFirst()
const rest = { description: '', enabled: 1, quota_json: '{}', revision: 1, created_at: 0, updated_at: 0 }
if (!existing)
  await store.db
    .insertInto('projects')
    .values({ ...PROJECT, ...rest })
    .execute()
const control = await createControl({
  store,
  builder: new MemoryBuilder(() => Date.now()),
  table: new FunctionTable(),
  clock: systemClock,
  secretsKey: await openSecretKeys(join(folder, 'secret.key')),
  environments: [fileEnvironment('nodejs', '.js')],
  routerUrl: () => 'http://127.0.0.1:1882',
  versionsKept: 100_000,
  networkAvailable: true,
})
await control.loadTable()

const by: Principal = {
  userId: 'u',
  userName: 'u',
  projectId: PROJECT.id,
  projectName: PROJECT.name,
  roles: ['member'],
  expiresAt: Infinity,
}
await Promise.all(['a', 'b', 'c'].map(deployForEver))

async function deployForEver(name: string): Promise<never> {
  for (;;) {
    const code = Buffer.from(`${name} ${process.pid} ${performance.now()} ${Math.random()}`)
    const { version } = await control.deploy(
      by,
      { app: 'app', name, package: { source: Readable.from([code]), fileName: 'main.js' } },
      () => {},
      new AbortController().signal,
    )
    const line: Acknowledged = { name, version: version.number, bundleDigest: version.spec.bundleDigest }
    writeSync(1, `${JSON.stringify(line)}\n`)
  }
}
