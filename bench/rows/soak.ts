import { readdirSync, readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Platform, startPlatform } from '../platform.ts'
import type { Row } from '../row.ts'

const GOOD = 6
const CLIENTS = 3
const REST_MS_MAX = 60_000
const LOOK_AGAIN_MS = 500
const STILL_MS = 3_000
const PROBLEMS_SHOWN = 5

/** Waits, does one thing, says what was wrong with it. */
interface Act {
  readonly everyMs: number
  run(): Promise<string | undefined>
}

/**
 * Deploys, calls, streams that are left, failures, crashes and queued calls, all at once: answers that are wrong, memory that grows, and what is
 * left when all functions are deleted.
 */
export const soak: Row = {
  name: 'soak',
  title: 'Everything at once, with functions that fail beside: what comes out wrong, and what stays behind',
  async run(bench) {
    const platform = await startPlatform(bench)
    const before = await settled(platform)
    const { acts, counters, remove } = await everything(platform)
    const problems: string[] = []
    const over = new AbortController()
    const running = acts.map(async act => {
      while (!over.signal.aborted) {
        const problem = await act.run().catch(String)
        if (problem !== undefined) problems.push(problem)
        await sleep(act.everyMs * (0.5 + Math.random()))
      }
    })
    await sleep(bench.soakSeconds * 500)
    const halfwayMB = await platform.memoryMB()
    await sleep(bench.soakSeconds * 500)
    const grownMB = (await platform.memoryMB()) - halfwayMB
    over.abort()
    await Promise.all(running)
    await atRest(platform)
    await remove()
    const left = await untilAlone(platform, before)
    for (const problem of problems.slice(0, PROBLEMS_SHOWN)) bench.say(problem)
    return [
      {
        what: 'wrong answers',
        value: problems.length,
        unit: 'errors',
        floor: { most: 0 },
        detail: `${counters.calls} calls and ${counters.deploys} deploys in ${bench.soakSeconds} s`,
      },
      { what: 'memory, second half', value: grownMB, unit: 'MB', floor: { most: 30 } },
      {
        what: 'processes left',
        value: left.processes - before.processes,
        unit: 'errors',
        floor: { most: 0 },
      },
      {
        what: 'descriptors left',
        value: left.descriptors - before.descriptors,
        unit: 'errors',
        floor: { most: 20 },
      },
    ]
  },
}

async function everything(platform: Platform) {
  const counters = { calls: 0, deploys: 0 }
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const urls = new Map<string, string>()
  /** What each function may say by now: while it is deployed, as before or as after. */
  const said = new Map<string, Set<string>>()
  const deploy = async (name: string, settings: object = {}): Promise<void> => {
    const says = `deploy ${++counters.deploys}`
    said.set(name, (said.get(name) ?? new Set()).add(says))
    urls.set(name, await platform.deploy(name, 'everything.mjs', { ...settings, config: { SAYS: says } }))
    said.set(name, new Set([says]))
  }
  const good = () => `good-${Math.floor(Math.random() * GOOD)}`
  const ask = (name: string, what = 'say', options: Asking = {}): Promise<Answer> => {
    counters.calls++
    return answerOf(`${urls.get(name)}?do=${what}`, { agent, ...options })
  }
  const expect = async (wanted: number, name: string, what: string, options: Asking = {}) => {
    const { status, text } = await ask(name, what, options)
    return status === wanted
      ? undefined
      : `${name} ?do=${what}: ${status} instead of ${wanted}: ${text.slice(0, 300)}`
  }
  let newcomers = 0
  for (let i = 0; i < GOOD; i++) await deploy(`good-${i}`)
  for (const bad of ['failing', 'ending', 'hanging']) await deploy(bad, { limits: { timeoutMs: 5_000 } })

  const say = async () => {
    const name = good()
    const known = new Set(said.get(name))
    const { status, text } = await ask(name)
    const may = known.has(text) || said.get(name)!.has(text)
    return status === 200 && may
      ? undefined
      : `${name} says ${status} ${text.slice(0, 300)}, not ${[...known].join(' or ')}`
  }
  const acts: readonly Act[] = [
    ...Array.from({ length: CLIENTS }, () => ({ everyMs: 5, run: say })),
    { everyMs: 1_500, run: () => deploy(good()).then(() => undefined) },
    {
      everyMs: 2_000,
      run: async () => {
        const name = `newcomer-${++newcomers}`
        await deploy(name)
        const problem = await expect(200, name, 'say')
        await platform.ask('DELETE', `/v1/apps/bench/functions/${name}`)
        return problem
      },
    },
    {
      everyMs: 200,
      run: async () => {
        const body = 'z'.repeat(Math.floor(Math.random() * 300_000))
        const { status, text } = await ask(good(), 'echo', { body })
        return status === 200 && text === body
          ? undefined
          : `echo: ${status}, ${text.length} of ${body.length} bytes`
      },
    },
    { everyMs: 300, run: () => expect(200, good(), 'much') },
    { everyMs: 500, run: () => ask(good(), 'much', { leaveAfterMs: 10 }).then(() => undefined) },
    { everyMs: 1_000, run: () => ask(good(), 'stream', { leaveAfterMs: 300 }).then(() => undefined) },
    { everyMs: 500, run: () => expect(200, good(), 'chatter') },
    { everyMs: 20, run: () => expect(202, good(), 'say', { headers: { prefer: 'respond-async' } }) },
    { everyMs: 500, run: () => expect(500, 'failing', 'fail') },
    {
      everyMs: 500,
      run: () =>
        expect(202, 'failing', 'fail', { headers: { prefer: 'respond-async', 'atelier-attempts': '1' } }),
    },
    { everyMs: 2_000, run: () => expect(502, 'ending', 'end') },
    { everyMs: 5_000, run: () => expect(504, 'hanging', 'hang') },
    { everyMs: 1_000, run: () => ask('hanging', 'hang', { leaveAfterMs: 100 }).then(() => undefined) },
  ]
  const remove = async () => {
    agent.destroy()
    for (const name of said.keys())
      if (!name.startsWith('newcomer')) await platform.ask('DELETE', `/v1/apps/bench/functions/${name}`)
  }
  return { acts, counters, remove }
}

/** Until no call waits in the queue or runs. */
async function atRest(platform: Platform): Promise<void> {
  const isBusy = async (state: string) => {
    const { items } = (await platform.ask('GET', `/v1/async-invocations?limit=1&state=${state}`)) as {
      items: unknown[]
    }
    return items.length > 0
  }
  await until(async () => !(await isBusy('queued')) && !(await isBusy('running')))
}

/** What stands of a server that has filled its warm pool. */
async function settled(platform: Platform): Promise<Standing> {
  let stands = standing(platform.pid)
  let since = performance.now()
  await until(() => {
    const now = standing(platform.pid)
    if (now.processes !== stands.processes) since = performance.now()
    stands = now
    return performance.now() - since > STILL_MS
  })
  return stands
}

/** What stands when nothing of any function does, or what does then. */
async function untilAlone(platform: Platform, before: Standing): Promise<Standing> {
  await until(() => standing(platform.pid).processes <= before.processes)
  return standing(platform.pid)
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const since = performance.now()
  while (!(await holds()) && performance.now() - since < REST_MS_MAX) await sleep(LOOK_AGAIN_MS)
}

interface Standing {
  readonly processes: number
  readonly descriptors: number
}

function standing(pid: number): Standing {
  return { processes: descendants(pid), descriptors: readdirSync(`/proc/${pid}/fd`).length }
}

function descendants(pid: number): number {
  const children = Map.groupBy(
    readdirSync('/proc').filter(name => /^\d+$/.test(name)),
    parentOf,
  )
  const count = (id: string): number =>
    (children.get(id) ?? []).reduce((sum, child) => sum + 1 + count(child), 0)
  return count(String(pid))
}

function parentOf(pid: string): string | undefined {
  try {
    return /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  } catch {
    return undefined // it has ended
  }
}

interface Asking {
  readonly agent?: Agent
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly leaveAfterMs?: number
}

interface Answer {
  readonly status: number
  readonly text: string
}

function answerOf(url: string, { agent, headers, body, leaveAfterMs }: Asking): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method: body === undefined ? 'GET' : 'POST', agent, headers }, answer => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (piece: string) => (text += piece))
      answer.once('close', () => resolve({ status: answer.statusCode!, text }))
      answer.on('error', () => {})
    })
    asked.on('error', error =>
      leaveAfterMs === undefined ? reject(error) : resolve({ status: 0, text: '' }),
    )
    if (leaveAfterMs !== undefined) setTimeout(() => asked.destroy(), leaveAfterMs)
    asked.end(body)
  })
}
