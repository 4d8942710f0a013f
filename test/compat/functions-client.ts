import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { promisify } from 'node:util'

const run = promisify(execFile)
const INSTALL_MS_MAX = 180_000
/**
 * The client leaves the versions of what it stands on open, and works with none of today: it enters sessions in the way that aiohttp 3
 * refuses, and the aiohttp before runs on no Python after 3.6.
 */
const PACKAGES = ['python-functionsclient==0.0.3', 'aiohttp==2.3.10', 'async-timeout==3.0.1']

/** A Python that the client still runs on. */
const python = [
  '/usr/bin/python3.6',
  '/usr/local/bin/python3.6',
  ...globSync(join(homedir(), '.pyenv/versions/3.6.*/bin/python3.6')),
].find(path => existsSync(path))

/** Why the client cannot be run at all; whether it can be installed is seen when it is. */
export const functionsClientMissing: string | false =
  python === undefined && 'python-functionsclient needs Python 3.6, which is not here'

export interface Answered {
  /** What the client's method gave: attributes of things, text, or nothing. */
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly value?: any
  /** What it raised. */
  readonly reason?: string
  readonly status?: number
}

/** IronFunctions' Python client, unmodified, in a Python of its own that does what it is told. */
export class FunctionsClient {
  readonly #child: ChildProcess
  readonly #lines: Interface

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#lines = createInterface({ input: child.stdout! })
  }

  /** Installs it below `folder`. Rejects where that cannot be done. */
  static async install(folder: string, url: string): Promise<FunctionsClient> {
    const place = join(folder, 'functionsclient')
    const options = { timeout: INSTALL_MS_MAX }
    await run(python!, ['-m', 'venv', place], options)
    const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PACKAGES]
    await run(join(place, 'bin/python'), install, options)
    const { hostname, port } = new URL(url)
    const child = spawn(join(place, 'bin/python'), ['-W', 'ignore', '-c', LOOP, hostname, port], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { PATH: '/usr/bin:/bin', HOME: folder },
    })
    return new FunctionsClient(child)
  }

  /** Calls `client.apps.<method>`, or with `app` `(await client.apps.show(app)).routes.<method>`, one after the other. */
  call(
    method: string,
    args: readonly unknown[] = [],
    named: Readonly<Record<string, unknown>> = {},
    app?: string,
  ): Promise<Answered> {
    return new Promise((resolve, reject) => {
      const onClose = (): void => reject(new Error('the client ended'))
      this.#lines.once('close', onClose)
      this.#lines.once('line', line => {
        this.#lines.off('close', onClose)
        resolve(JSON.parse(line) as Answered)
      })
      this.#child.stdin!.write(`${JSON.stringify({ method, args, named, app })}\n`)
    })
  }

  close(): void {
    this.#child.kill('SIGKILL')
  }
}

const LOOP = `
import asyncio, json, sys
from functionsclient.client import FunctionsAPIException
from functionsclient.v1 import client

loop = asyncio.get_event_loop()
v1 = client.FunctionsAPIV1(sys.argv[1], api_port=int(sys.argv[2]))

def shown(value):
    if isinstance(value, list):
        return [shown(each) for each in value]
    return getattr(value, '__kwargs__', value)

async def call(asked):
    owner = v1.apps
    if asked.get('app') is not None:
        owner = (await v1.apps.show(asked['app'], loop=loop)).routes
    return await getattr(owner, asked['method'])(*asked['args'], loop=loop, **asked['named'])

for line in sys.stdin:
    try:
        answer = {'value': shown(loop.run_until_complete(call(json.loads(line))))}
    except FunctionsAPIException as error:
        answer = {'reason': error.reason, 'status': error.status}
    print(json.dumps(answer), flush=True)
`
