import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/core/index.ts'
import { createEmbeddedIdentity } from '../../src/identity/index.ts'
import { openStore } from '../../src/store/index.ts'
import { type Load, load } from '../load.ts'
import { type Platform, startPlatform } from '../platform.ts'
import type { Bench, Measure, Row } from '../row.ts'
import { median, medianRatio } from '../statistics.ts'
import { ONE_INSTANCE, WARM_UP_SECONDS } from './warm.ts'

const CHECKS = 100_000
const AT_ONCE = 32
const APP = 'bench'

/** What it costs that not everybody may call: the check of a token, a private call beside a public one, and the same by Picasso. */
export const privateCalls: Row = {
  name: 'private',
  title:
    'Private calls: the check of a known token, and the share of public ones; Picasso beside our own route',
  async run(bench) {
    const checkUs = await tokenCheckUs(bench)
    const platform = await startPlatform(bench, '--dialects', 'picasso:0')
    return [
      { what: 'token check', value: checkUs, unit: 'us', floor: { most: 20 } },
      ...(await besidePublic(bench, platform)),
      ...(await picassoBesideOurs(bench, platform)),
    ]
  },
}

/** The check that a private call waits for, of a token that is known. */
async function tokenCheckUs(bench: Bench): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'atelier-bench-identity-'))
  bench.after(() => rm(folder, { recursive: true, force: true }))
  const store = await openStore({ url: join(folder, 'atelier.db') })
  bench.after(() => store.close())
  const identity = await createEmbeddedIdentity({ store, clock: systemClock })
  let login = { user: '', password: '' }
  await identity.bootstrap(async made => void (login = made))
  const { token } = await identity.login(login)
  await identity.authenticate(token)
  const taken: number[] = []
  for (let round = 0; round < bench.rounds; round++) {
    const since = performance.now()
    for (let i = 0; i < CHECKS; i++)
      if (identity.cached(token) === undefined) throw new Error('the token is not known any more')
    taken.push(((performance.now() - since) * 1_000) / CHECKS)
  }
  return median(taken)
}

async function besidePublic(bench: Bench, platform: Platform): Promise<readonly Measure[]> {
  const open = await platform.deploy('open', 'hello.mjs', ONE_INSTANCE)
  const closed = await platform.deploy('closed', 'hello.mjs', { ...ONE_INSTANCE, access: 'private' })
  const headers = { authorization: `Bearer ${platform.token}` }
  const calls = { open: { url: open }, closed: { url: closed, headers } }
  const { rates, errors } = await interleaved(bench, calls, AT_ONCE)
  return [
    {
      what: 'throughput, 32 connections',
      value: medianRatio(rates.closed, rates.open),
      unit: 'ratio',
      floor: { least: 0.9 },
      detail: `public ${Math.round(median(rates.open))}/s, private ${Math.round(median(rates.closed))}/s`,
    },
    { what: 'errors', value: errors, unit: 'errors', floor: { most: 0 } },
  ]
}

/** A route of Picasso's and our own address of the same function, one call after the other: a process for each, and one that is warm. */
async function picassoBesideOurs(bench: Bench, platform: Platform): Promise<readonly Measure[]> {
  const { token, projectId, routerUrl } = platform
  const picasso = await picassoUrl(platform)
  const headers = { 'x-auth-token': token }
  const ask = async <T>(path: string, body: object): Promise<T> => {
    const answer = await fetch(`${picasso}/v1/${projectId}${path}`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (!answer.ok) throw new Error(`Picasso: ${path}: ${answer.status} ${await answer.text()}`)
    return answer.json() as Promise<T>
  }
  const made = await ask<{ app: { name: string } }>('/apps', { app: { name: APP } })
  const app = made.app.name
  const route = { path: '/hello', type: 'sync', image: 'iron/hello', is_public: false }
  await ask(`/apps/${app}/routes`, { route }) // its function has the name of its path
  const calls = {
    ours: { url: `${routerUrl}/default/${app}/hello`, headers, body: '{}' },
    theirs: { url: `${picasso}/v1/r/${projectId}/${app}/hello`, headers, body: '{}' },
  }
  const measures: Measure[] = []
  const measure = async (what: string) => {
    const { p50Us, errors } = await interleaved(bench, calls, 1)
    measures.push(
      {
        what: `Picasso, ${what}: p50`,
        value: medianRatio(p50Us.theirs, p50Us.ours),
        unit: 'ratio',
        floor: { most: 1.5 },
        detail: `our route ${Math.round(median(p50Us.ours))} us, Picasso ${Math.round(median(p50Us.theirs))} us`,
      },
      { what: `Picasso, ${what}: errors`, value: errors, unit: 'errors', floor: { most: 0 } },
    )
  }
  await measure('a process for each call')
  // The same route, of a function whose own part is as small as can be.
  await platform.deploy('hello', 'hello.mjs', { ...ONE_INSTANCE, contract: 'frames', access: 'private' }, app)
  await measure('a warm function')
  return measures
}

/** As the catalogue names it. */
async function picassoUrl({ ask }: Platform): Promise<string> {
  const { catalog } = (await ask('GET', '/identity/v3/auth/catalog')) as {
    catalog: { type: string; endpoints: { interface: string; url: string }[] }[]
  }
  const endpoint = catalog.find(each => each.type === 'functions')?.endpoints[0]
  if (!endpoint) throw new Error('the catalogue has no Picasso')
  return endpoint.url.replace(/\/v1.*$/, '').replace(/\/$/, '')
}

interface Interleaved<K extends string> {
  readonly rates: Readonly<Record<K, number[]>>
  readonly p50Us: Readonly<Record<K, number[]>>
  readonly errors: number
}

async function interleaved<K extends string>(
  bench: Bench,
  calls: Readonly<Record<K, Pick<Load, 'url' | 'headers' | 'body'>>>,
  connections: number,
): Promise<Interleaved<K>> {
  const names = Object.keys(calls) as K[]
  const empty = () => Object.fromEntries(names.map(name => [name, []])) as unknown as Record<K, number[]>
  const taken = { rates: empty(), p50Us: empty() }
  let errors = 0
  for (const name of names) await load({ ...calls[name], connections, seconds: WARM_UP_SECONDS })
  for (let round = 0; round < bench.rounds; round++)
    for (const name of names) {
      const result = await load({ ...calls[name], connections, seconds: bench.secondsPerRound })
      taken.rates[name].push(result.perSecond)
      taken.p50Us[name].push(result.p50Us)
      errors += result.errors
    }
  return { ...taken, errors }
}
