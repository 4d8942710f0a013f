import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { environments } from '../../src/environments/index.ts'
import { timedGet, timedStart } from '../first-call.ts'
import { load } from '../load.ts'
import { type Platform, startPlatform } from '../platform.ts'
import { startServer } from '../rivals.ts'
import type { Bench, Measure, Row } from '../row.ts'
import { median, percentile } from '../statistics.ts'
import { firstCallsFromPool, WARM } from '../warm-pool.ts'

interface Language {
  readonly name: string
  readonly file: string
  readonly isolation?: 'gvisor'
  /** What the platform is measured against where the language is compiled: makes a program, and resolves with how long one start of it takes. */
  readonly plain?: (bench: Bench) => Promise<() => Promise<number>>
}

export const LANGUAGES: readonly Language[] = [
  { name: 'nodejs', file: 'hello.mjs' },
  { name: 'python', file: 'hello.py' },
  { name: 'php', file: 'hello.php' },
  { name: 'ruby', file: 'hello.rb' },
  { name: 'java', file: 'Main.java' },
  { name: 'dotnet', file: 'Function.cs' },
  { name: 'binary', file: 'hello.sh' },
  { name: 'go', file: 'hello.go', plain: plainGo },
]
const IN_GVISOR = LANGUAGES.slice(0, 2).map(each => ({ ...each, isolation: 'gvisor' as const }))

const FIRST_CALLS_MAX = 10
const FROM_NOTHING_MAX = 5
/** Of an interpreted language's first call from the pool. */
const FIRST_CALL_MS_MAX = 15
/** Of a compiled one's, as a multiple of starting the same program with no platform around it. */
const PLAIN_STARTS_MAX = 1.2
const GO_PROGRAMS = ['/usr/local/go/bin/go', '/usr/bin/go', '/usr/lib/go/bin/go']

const run = promisify(execFile)

/** Each language: its first call from the pool and from nothing, what a warm call adds, and what an instance weighs. */
export const languages: Row = {
  name: 'languages',
  title: 'Languages: first call from the warm pool, p50',
  async run(bench) {
    const known = await ready(bench)
    const { url: bare } = await startServer(bench, 'bare')
    const bareUs = await warmUs(bench, bare)
    const warm = await startPlatform(bench, '--warm-instances', String(WARM))
    const empty = await startPlatform(bench, '--warm-instances', '0')
    const measures: Measure[] = []
    for (const language of known) measures.push(...(await measure(bench, language, { warm, empty, bareUs })))
    return measures
  },
}

interface Places {
  readonly warm: Platform
  readonly empty: Platform
  readonly bareUs: number
}

async function measure(
  bench: Bench,
  language: Language,
  { warm, empty, bareUs }: Places,
): Promise<readonly Measure[]> {
  const { isolation } = language
  const what = `${language.name}${isolation ? ' in gVisor' : ''}`
  const name = `${language.name}-${isolation ?? 'process'}`
  const urls = await deployMany(warm, language, `${name}-pool`, Math.min(bench.firstCalls, FIRST_CALLS_MAX))
  await timedGet(await deploy(warm, language, `${name}-opener`))
  // Those of Node and Python outside gVisor wait too.
  const generic = isolation === undefined ? WARM : 2 * WARM
  const start = await language.plain?.(bench)
  const plain: number[] = []
  const times = await firstCallsFromPool(warm, language.name, urls, generic, async () => {
    if (start) plain.push(await start())
  })
  const fromNothing = await firstCallsFromNothing(bench, empty, language, name)
  const rest = await warmFigures(bench, empty, `${name}-nothing-0`, bareUs)
  const p50 = percentile(times, 0.5)
  const detail = `p95 ${percentile(times, 0.95).toFixed(1)} ms; from nothing ${median(fromNothing).toFixed(1)} ms; ${rest}`
  bench.say(`${what}: ${p50.toFixed(1)} ms; ${detail}`)
  if (!start) {
    const floor = isolation === undefined && { floor: { most: FIRST_CALL_MS_MAX } }
    return [{ what, value: p50, unit: 'ms', ...floor, detail }]
  }
  return [
    {
      what: `${what}, as a share of a plain start`,
      value: p50 / median(plain),
      unit: 'ratio',
      floor: { most: PLAIN_STARTS_MAX },
      detail: `atelier ${p50.toFixed(1)} ms, plain ${median(plain).toFixed(1)} ms; ${detail}`,
    },
  ]
}

async function firstCallsFromNothing(
  bench: Bench,
  platform: Platform,
  language: Language,
  name: string,
): Promise<number[]> {
  const count = Math.min(bench.firstCalls, FROM_NOTHING_MAX)
  // Of the first one of all more is asked: files are read that the next ones find in memory.
  const [opener, ...urls] = await deployMany(platform, language, `${name}-nothing`, count + 1)
  await timedGet(opener!)
  const times: number[] = []
  for (const url of urls) times.push(await timedGet(url))
  return times
}

/** The same handler in a server of its own. */
async function plainGo(bench: Bench): Promise<() => Promise<number>> {
  const program = await plainProgram(bench, GO_PROGRAMS.find(path => existsSync(path)) ?? 'go')
  await timedStart(bench, program)
  return () => timedStart(bench, program)
}

async function plainProgram(bench: Bench, go: string): Promise<string> {
  // The standard library is compiled once for all benches.
  const cache = join(import.meta.dirname, '../../node_modules/.cache/atelier/bench-go')
  await mkdir(cache, { recursive: true })
  const folder = await mkdtemp(join(tmpdir(), 'atelier-bench-go-'))
  bench.after(() => rm(folder, { recursive: true, force: true }))
  const program = join(folder, 'plain')
  const source = join(import.meta.dirname, '../servers/plain-go/main.go')
  const env = { ...process.env, GOCACHE: cache, CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOFLAGS: '-mod=mod' }
  await run(go, ['build', '-trimpath', '-ldflags=-s -w', '-o', program, source], { env, cwd: folder })
  return program
}

async function warmFigures(bench: Bench, platform: Platform, name: string, bareUs: number): Promise<string> {
  const us = await warmUs(bench, `${platform.routerUrl}/default/bench/${name}`)
  const added = us - bareUs
  const shown = added < 1_000 ? `${Math.round(added)} us` : `${(added / 1_000).toFixed(1)} ms`
  return `a warm call adds ${shown}; ${(await platform.instanceMB(name)).toFixed(0)} MB`
}

async function warmUs(bench: Bench, url: string): Promise<number> {
  await load({ url, connections: 1, seconds: 1 })
  const { p50Us, errors } = await load({ url, connections: 1, seconds: bench.secondsPerRound })
  if (errors > 0) throw new Error(`${url} has ${errors} errors`)
  return p50Us
}

async function deployMany(
  platform: Platform,
  language: Language,
  name: string,
  count: number,
): Promise<string[]> {
  const urls: string[] = []
  for (let i = 0; i < count; i++) urls.push(await deploy(platform, language, `${name}-${i}`))
  return urls
}

function deploy(platform: Platform, { file, isolation }: Language, name: string): Promise<string> {
  return platform.deploy(name, file, {
    ...(isolation && { isolation }),
    ...(file.endsWith('.sh') && { entry: file }),
  })
}

/** The languages that are asked for and here. */
async function ready(bench: Bench): Promise<readonly Language[]> {
  const isAsked = ({ name }: Language) => bench.languages.length === 0 || bench.languages.includes(name)
  const here: Language[] = []
  for (const language of LANGUAGES.filter(isAsked)) {
    const status = await environments.find(({ name }) => name === language.name)!.probe()
    if (status.ready) here.push(language)
    else bench.say(`${language.name} is left out: ${status.reason}`)
  }
  const hasGvisor = ['/usr/bin/runsc', '/usr/local/bin/runsc'].some(path => existsSync(path))
  if (!hasGvisor) bench.say('runsc is not installed: the figures of gVisor are left out')
  return hasGvisor ? [...here, ...IN_GVISOR.filter(isAsked)] : here
}
