import { execFile } from 'node:child_process'
import { chownSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Certificates } from '../brokers/certificates.ts'
import { Daemon, missingProgram } from '../brokers/daemon.ts'
import { certificatesIn, type Database } from './database.ts'
import { otherUser } from './user.ts'

const PROGRAM = '/usr/sbin/mariadbd'
const INSTALL = '/usr/bin/mariadb-install-db'
const CLIENT = '/usr/bin/mariadb'
const run = promisify(execFile)

/** MariaDB with nothing but a user `atelier`, who may do everything; each test file has a database of its own. */
export async function startMariadb(): Promise<Database> {
  let isMade = false
  let certificates: Certificates | undefined
  const daemon = await Daemon.start({
    name: 'mariadb',
    async command({ folder, port }) {
      const data = join(folder, 'data')
      const user = otherUser('mysql')
      if (user) chownSync(folder, user.uid, user.gid)
      const asUser = user ? [`--user=${user.name}`] : []
      if (!isMade)
        await run(INSTALL, [
          '--no-defaults',
          `--datadir=${data}`,
          '--auth-root-authentication-method=normal',
          '--skip-test-db',
          ...asUser,
        ])
      if (!isMade) certificates = await certificatesIn(folder, user)
      isMade = true
      return {
        program: PROGRAM,
        args: [
          '--no-defaults',
          `--datadir=${data}`,
          `--socket=${join(folder, 'socket')}`,
          `--pid-file=${join(folder, 'pid')}`,
          `--port=${port}`,
          '--bind-address=127.0.0.1',
          '--innodb-buffer-pool-size=32M',
          '--skip-name-resolve',
          ...(certificates === undefined
            ? []
            : [`--ssl-cert=${certificates.certPath}`, `--ssl-key=${certificates.keyPath}`]),
          ...asUser,
        ],
      }
    },
    ready: async ({ folder }) => {
      await ask(folder, 'select 1')
    },
  })
  const { folder, port } = daemon.place
  await ask(
    folder,
    `create user atelier@'%' identified by 'p@ss/word'; grant all on *.* to atelier@'%' with grant option`,
  )
  let count = 0
  return {
    daemon,
    certificates,
    async create() {
      const name = `atelier_${++count}`
      await ask(folder, `create database ${name} character set latin1`)
      return `mysql://atelier:p%40ss%2Fword@127.0.0.1:${port}/${name}`
    },
    ask: (database, text) => ask(folder, text, database),
  }
}

async function ask(folder: string, text: string, database?: string): Promise<string> {
  const { stdout } = await run(CLIENT, [
    '--no-defaults',
    `--socket=${join(folder, 'socket')}`,
    '--user=root',
    '--batch',
    '--skip-column-names',
    ...(database === undefined ? [] : [`--database=${database}`]),
    `--execute=${text}`,
  ])
  return stdout.trim()
}

export const mariadbMissing = missingProgram(PROGRAM, 'mariadb-server')
