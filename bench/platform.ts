import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, extname, join } from 'node:path'
import { promisify } from 'node:util'
import { readProcessFile } from '../src/server/index.ts'
import { end } from './rivals.ts'
import type { Bench } from './row.ts'

/** A server of ours in a process of its own, with its own data, and the API to it. */
export interface Platform {
  readonly routerUrl: string
  readonly pid: number
  /** The administrator's, and the id of the project that all is deployed in. */
  readonly token: string
  readonly projectId: string
  /** Deploys one file of `bench/functions` under `name`; resolves with the function's URL. `app`: another than `bench`. */
  deploy(name: string, file: string, settings?: object, app?: string): Promise<string>
  /** Deploys a container image under `name`; resolves with the function's URL. */
  deployImage(name: string, image: string, settings?: object): Promise<string>
  /** Asks the API as the administrator; `body` is sent as JSON. */
  ask(method: string, path: string, body?: object): Promise<unknown>
  /** Generic instances that wait, of one environment. */
  genericInstances(environment: string): Promise<number>
  /** Memory of the instance that serves a function of the app `bench`, as the platform counts it. */
  instanceMB(name: string): Promise<number>
  /** Resident memory of the server itself, without its instances. */
  memoryMB(): Promise<number>
  /** `kill -9`, and the same again on the same data; resolves when it is ready. Its addresses change. */
  killAndRestart(): Promise<void>
  /** `atelier restart`: another process serves, at the same addresses, with no request refused. */
  handOver(): Promise<void>
  stop(): Promise<void>
}

const run = promisify(execFile)
const ENVIRONMENTS: Readonly<Record<string, string>> = {
  '.py': 'python',
  '.java': 'java',
  '.cs': 'dotnet',
  '.go': 'go',
  '.php': 'php',
  '.rb': 'ruby',
  '.sh': 'binary',
}
const root = join(import.meta.dirname, '..')
const READY_MS_MAX = 60_000

export async function startPlatform(bench: Bench, ...flags: string[]): Promise<Platform> {
  const home = await mkdtemp(join(tmpdir(), 'atelier-bench-home-'))
  bench.after(() => rm(home, { recursive: true, force: true, maxRetries: 5 }))
  const args = [
    join(root, 'bin/atelier.js'),
    'server',
    '--home',
    home,
    '--port',
    '0',
    '--router-port',
    '0',
    '--log-level',
    'error',
    ...flags,
  ]
  let child: ChildProcess | undefined
  bench.after(() => child && end(child))
  const start = () => startServer(args, home, started => (child = started))
  let running = await start()
  const who = (await running.api('GET', '/v1/whoami')) as { projectId: string }
  const deploy = async (
    name: string,
    settings: object,
    source?: { file: string; bytes: Buffer<ArrayBuffer> },
    app = 'bench',
  ) => {
    const form = new FormData()
    form.append('settings', JSON.stringify({ access: 'public', ...settings }))
    if (source) form.append('package', new Blob([source.bytes]), basename(source.file))
    await running.api('POST', `/v1/apps/${app}/functions/${name}/deploy`, form)
    return `${running.login.routerUrl}/${running.login.project}/${app}/${name}`
  }
  return {
    get routerUrl() {
      return running.login.routerUrl
    },
    get pid() {
      return running.child.pid!
    },
    get token() {
      return running.token
    },
    projectId: who.projectId,
    deploy: async (name, file, settings = {}, app = 'bench') => {
      const bytes = await packed(join(import.meta.dirname, 'functions', file))
      const environment = ENVIRONMENTS[extname(file)] ?? 'nodejs'
      return deploy(name, { environment, ...settings }, { file, bytes }, app)
    },
    deployImage: (name, image, settings = {}) => deploy(name, { image, ...settings }),
    ask: (method, path, body) => running.api(method, path, body && JSON.stringify(body)),
    genericInstances: async environment => {
      const { items } = (await running.api('GET', '/v1/instances?limit=1000')) as {
        items: { environment: string; state: string }[]
      }
      return items.filter(item => item.environment === environment && item.state === 'generic').length
    },
    instanceMB: async name => {
      const { id } = (await running.api('GET', `/v1/apps/bench/functions/${name}`)) as { id: string }
      const { items } = (await running.api('GET', '/v1/instances?limit=1000')) as {
        items: { functionId?: string; memoryBytes: number }[]
      }
      return (items.find(item => item.functionId === id)?.memoryBytes ?? Number.NaN) / 2 ** 20
    },
    memoryMB: async () => {
      const status = await readFile(`/proc/${running.child.pid}/status`, 'utf8')
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) / 1024
    },
    killAndRestart: async () => {
      await end(running.child, 'SIGKILL')
      running = await start()
    },
    handOver: async () => {
      await run(process.execPath, [args[0]!, 'restart', '--home', home])
      bench.after(() => endServing(home))
    },
    stop: () => end(running.child),
  }
}

/** One file as a package: a script keeps the right to be executed, which only an archive tells. */
async function packed(path: string): Promise<Buffer<ArrayBuffer>> {
  if (extname(path) !== '.sh') return readFile(path)
  const { stdout } = await run('tar', ['-C', dirname(path), '--mode=755', '-cf', '-', basename(path)], {
    encoding: 'buffer',
  })
  return Buffer.from(stdout)
}

/** Ends the process that serves `home` by now, which is none of our children. */
async function endServing(home: string): Promise<void> {
  const serving = readProcessFile(home)
  if (serving) process.kill(serving.pid, 'SIGTERM')
  while (readProcessFile(home)) await new Promise(resolve => setTimeout(resolve, 50))
}

interface Running {
  readonly child: ChildProcess
  readonly login: Login
  readonly token: string
  readonly api: Api
}

async function startServer(
  args: readonly string[],
  home: string,
  onStart: (child: ChildProcess) => void,
): Promise<Running> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  onStart(child)
  let errors = ''
  child.stderr.on('data', (text: Buffer) => (errors = (errors + text.toString()).slice(-4_000)))
  try {
    const login = await untilReady(child, home, () => errors)
    return { child, login, ...(await logIn(login)) }
  } catch (error) {
    await end(child)
    throw error
  }
}

interface Login {
  readonly url: string
  readonly routerUrl: string
  readonly user: string
  readonly password: string
  readonly project: string
}

type Api = (method: string, path: string, body?: FormData | string) => Promise<unknown>

async function logIn({ url, user, password }: Login): Promise<Pick<Running, 'token' | 'api'>> {
  const response = await fetch(`${url}/v1/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user, password }),
  })
  if (!response.ok) throw new Error(`the login failed: ${await response.text()}`)
  const { token } = (await response.json()) as { token: string }
  const api: Api = async (method, path, body) => {
    const answer = await fetch(url + path, {
      method,
      headers: {
        'x-auth-token': token, // which Keystone's API takes, too
        ...(typeof body === 'string' && { 'content-type': 'application/json' }),
      },
      ...(body && { body }),
    })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return answer.status === 204 ? undefined : answer.json()
  }
  return { token, api }
}

/** Resolves with the login of the server that `child` is, or starts, on the data in `home`, once it is ready. */
export async function untilReady(child: ChildProcess, home: string, errors: () => string): Promise<Login> {
  const until = performance.now() + READY_MS_MAX
  while (performance.now() < until) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}: ${errors()}`)
    try {
      const login = JSON.parse(await readFile(join(home, 'admin.json'), 'utf8')) as Login
      if ((await fetch(`${login.url}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok) return login
    } catch {
      // Not there yet.
    }
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  throw new Error(`the server was not ready in ${READY_MS_MAX} ms: ${errors()}`)
}
