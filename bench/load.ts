import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface Load {
  readonly url: string
  readonly connections: number
  readonly seconds: number
  /** Sent as JSON by POST; without it, GET. */
  readonly body?: string
  /** Fields that each request has besides. */
  readonly headers?: Readonly<Record<string, string>>
}

export interface LoadResult {
  readonly perSecond: number
  readonly p50Us: number
  readonly p99Us: number
  /** Answers that are not 2xx, broken connections, time-outs. */
  readonly errors: number
}

const hasWrk = spawnSync('wrk', ['-v']).error === undefined

/** What makes the load, for the report. */
export const loadTool = hasWrk ? 'wrk' : 'bench/load-worker.ts'

/** Loads `url` from a process of its own: with wrk where it is installed, else with our own generator. */
export async function load(options: Load): Promise<LoadResult> {
  return hasWrk ? byWrk(options) : byWorker(options)
}

async function byWrk({ url, connections, seconds, body, headers = {} }: Load): Promise<LoadResult> {
  const folder = await mkdtemp(join(tmpdir(), 'atelier-bench-'))
  try {
    const script = join(folder, 'load.lua')
    await writeFile(script, luaScript(body, headers))
    const { stdout } = await run('wrk', [
      '-t1',
      `-c${connections}`,
      `-d${seconds}s`,
      '--timeout',
      '10s',
      '-s',
      script,
      url,
    ])
    const line = stdout.split('\n').find(text => text.startsWith('RESULT '))
    if (!line) throw new Error(`wrk said nothing of use: ${stdout}`)
    const [requests, micros, p50, p99, errors] = line.slice(7).split(' ').map(Number) as [
      number,
      number,
      number,
      number,
      number,
    ]
    return { perSecond: requests / (micros / 1e6), p50Us: p50, p99Us: p99, errors }
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** wrk's own summary rounds; this prints the numbers. */
function luaScript(body: string | undefined, headers: Readonly<Record<string, string>>): string {
  const request =
    body === undefined
      ? ''
      : `wrk.method = "POST"\nwrk.headers["content-type"] = "application/json"\nwrk.body = ${JSON.stringify(body)}\n`
  const fields = Object.entries(headers).map(
    ([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}\n`,
  )
  return `${request}${fields.join('')}
function done(summary, latency)
  local e = summary.errors
  print(string.format("RESULT %d %d %d %d %d", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
`
}

async function byWorker(options: Load): Promise<LoadResult> {
  const { stdout } = await run(process.execPath, [
    join(import.meta.dirname, 'load-worker.ts'),
    JSON.stringify(options),
  ])
  return JSON.parse(stdout) as LoadResult
}
