import { createConnection } from 'node:net'
import { join } from 'node:path'
import { configPath, dataFolder } from '../client/login.ts'
import { isExposed } from '../client/private-file.ts'
import type { Context } from '../context.ts'
import { asFailure, EXIT } from '../failure.ts'
import { type Check, type Finding, fail, ok, warn } from './check.ts'

const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]']
const CONNECT_PATIENCE_MS = 2_000
const SKEW_MS_MAX = 5_000 // tokens and signed URLs live by the clock

/** Whether the server of this login answers, and whether one could be started here. */
export function serverChecks(
  context: Context,
  ports: { readonly control: number; readonly router: number },
): readonly Check[] {
  const asked = ask(context)
  return [
    { name: 'login', look: () => login(context) },
    { name: 'server', look: async () => (await asked).finding },
    { name: 'clock', look: async () => clock(await asked) },
    { name: `port ${ports.control}`, look: async () => await port(ports.control, 'API', (await asked).url) },
    { name: `port ${ports.router}`, look: async () => await port(ports.router, 'router', (await asked).url) },
  ]
}

async function login(context: Context): Promise<Finding> {
  const exposed = [configPath(context.env), join(dataFolder(context.env), 'admin.json')].find(isExposed)
  if (exposed !== undefined) return fail(`${exposed} can be read by others`, `chmod 600 ${exposed}`)
  try {
    const client = await context.client()
    return ok(`${client.login.url}, from ${client.login.source}`)
  } catch (error) {
    const failure = asFailure(error)
    return warn(failure.message, failure.hint ?? 'atelier login URL')
  }
}

interface Asked {
  readonly finding: Finding
  /** Of the server, when it answered. */
  readonly url: string | undefined
  /** The server's clock minus ours, if it told. */
  readonly skewMs: number | undefined
}

async function ask(context: Context): Promise<Asked> {
  let url: string | undefined
  try {
    const client = await context.client()
    url = client.login.url
    const beforeMs = Date.now()
    const answer = await client.send('GET', '/v1/whoami')
    answer.resume()
    const middleMs = (beforeMs + Date.now()) / 2
    const date = Date.parse(String(answer.headers.date))
    // The header has whole seconds: the true time lies up to one later.
    return {
      finding: ok(`${url} answers, and knows you`),
      url,
      skewMs: Number.isNaN(date) ? undefined : date + 500 - middleMs,
    }
  } catch (error) {
    const failure = asFailure(error)
    const remedy =
      failure.hint ?? 'Start one with "npm start", or log in to another with "atelier login URL".'
    const nobody = url === undefined || failure.exitCode === EXIT.unreachable
    return {
      finding: nobody ? warn(failure.message, remedy) : fail(failure.message, remedy),
      url,
      skewMs: undefined,
    }
  }
}

function clock({ skewMs }: Asked): Finding {
  if (skewMs === undefined) return ok('not compared: no server answered')
  const seconds = Math.round(Math.abs(skewMs) / 1000)
  if (Math.abs(skewMs) <= SKEW_MS_MAX) return ok('agrees with the server')
  return warn(
    `${seconds} s ${skewMs > 0 ? 'behind' : 'ahead of'} the server`,
    'Set the clocks with NTP: tokens live by them.',
  )
}

async function port(number: number, what: 'API' | 'router', url: string | undefined): Promise<Finding> {
  if (!(await somebodyListens(number))) return ok(`free for the ${what}`)
  const host = url === undefined ? undefined : new URL(url).hostname
  if (host !== undefined && LOOPBACK.includes(host)) return ok('in use; your server is on this machine')
  return warn(
    'taken by another program',
    `A server here needs another one: --${what === 'API' ? 'port' : 'router-port'}.`,
  )
}

function somebodyListens(number: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createConnection({ host: '127.0.0.1', port: number, timeout: CONNECT_PATIENCE_MS })
    const end = (answer: boolean) => () => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', end(true)).once('error', end(false)).once('timeout', end(false))
  })
}
