import { execFile, spawn } from 'node:child_process'
import { chownSync, existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Certificates } from '../brokers/certificates.ts'
import { Daemon } from '../brokers/daemon.ts'
import { certificatesIn, type Database } from './database.ts'
import { otherUser } from './user.ts'

const ROOT = '/usr/lib/postgresql'
const bin = programs()
const run = promisify(execFile)

export const postgresMissing =
  bin === undefined ? 'PostgreSQL is not installed (Debian package postgresql)' : undefined

/** PostgreSQL with one user `atelier`, who owns everything; each test file has a database of its own. */
export async function startPostgres(): Promise<Database> {
  let isMade = false
  let certificates: Certificates | undefined
  const daemon = await Daemon.start({
    name: 'postgres',
    async command({ folder, port }) {
      const data = join(folder, 'data')
      const user = otherUser('postgres')
      if (user) chownSync(folder, user.uid, user.gid)
      if (!isMade)
        await as(
          user?.name,
          join(bin!, 'initdb'),
          '-D DATA -U postgres -A trust --no-sync -E UTF8 --locale=C.UTF-8'
            .split(' ')
            .map(each => (each === 'DATA' ? data : each)),
        )
      if (!isMade) certificates = await certificatesIn(folder, user)
      isMade = true
      const { certPath, keyPath } = certificates ?? {}
      const tls = certPath === undefined ? {} : { ssl: 'on', ssl_cert_file: certPath, ssl_key_file: keyPath }
      const settings = Object.entries(tls).flatMap(([name, value]) => ['-c', `${name}=${value}`])
      const args = ['-D', data, '-p', `${port}`, '-h', '127.0.0.1,127.0.0.2', '-k', folder, ...settings]
      const program = join(bin!, 'postgres')
      return user
        ? {
            program: 'setpriv',
            args: [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups', program, ...args],
          }
        : { program, args }
    },
    ready: async ({ folder, port }) => {
      await ask(folder, port, 'postgres', 'select 1')
    },
  })
  const { folder, port } = daemon.place
  await ask(folder, port, 'postgres', `create role atelier login password 'p@ss/word'`)
  let count = 0
  return {
    daemon,
    certificates,
    async create() {
      const name = `atelier_${++count}`
      await ask(folder, port, 'postgres', `create database ${name} owner atelier`)
      return `postgresql://atelier:p%40ss%2Fword@127.0.0.1:${port}/${name}`
    },
    ask: (database, text) => ask(folder, port, database, text),
  }
}

async function ask(folder: string, port: number, database: string, text: string): Promise<string> {
  const args = [
    '-X',
    '-q',
    '-A',
    '-t',
    '-h',
    folder,
    '-p',
    `${port}`,
    '-U',
    'postgres',
    '-d',
    database,
    '-c',
    text,
  ]
  const { stdout } = await run(join(bin!, 'psql'), args)
  return stdout.trim()
}

/** The Debian package keeps the programs of each version in a folder of its own. */
function programs(): string | undefined {
  if (!existsSync(ROOT)) return undefined
  const versions = readdirSync(ROOT).sort((a, b) => Number(b) - Number(a))
  return versions.map(version => join(ROOT, version, 'bin')).find(path => existsSync(join(path, 'initdb')))
}

function as(user: string | undefined, program: string, args: readonly string[]): Promise<void> {
  const [command, all] =
    user === undefined
      ? [program, args]
      : ['setpriv', ['--reuid', user, '--regid', user, '--clear-groups', program, ...args]]
  return new Promise((resolve, reject) => {
    const child = spawn(command, all, { stdio: ['ignore', 'ignore', 'pipe'], cwd: '/' })
    let said = ''
    child.stderr.on('data', chunk => (said += String(chunk)))
    child.on('error', reject)
    child.on('exit', code => (code === 0 ? resolve() : reject(new Error(`${program}: ${said}`))))
  })
}
