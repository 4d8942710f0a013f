import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { type HttpTrigger, parsePattern } from '../../src/core/index.ts'
import { RouteIndex } from '../../src/router/match.ts'
import { makeTrigger } from './fixture.ts'

function indexOf(...triggers: HttpTrigger[]): RouteIndex {
  const index = new RouteIndex()
  for (const trigger of triggers) index.set(trigger)
  return index
}

function nameAt(
  index: RouteIndex,
  path: string,
  method = 'GET',
  host = '',
): string | readonly string[] | undefined {
  const found = index.find(host, method, path)
  return found && ('route' in found ? found.route.trigger.name : found.allow)
}

test('a literal comes before a parameter, a parameter before a prefix', () => {
  const index = indexOf(
    makeTrigger({ name: 'all', path: '/*' }),
    makeTrigger({ name: 'prefix', path: '/a/*' }),
    makeTrigger({ name: 'parameter', path: '/a/{id}' }),
    makeTrigger({ name: 'literal', path: '/a/b' }),
  )
  assert.equal(nameAt(index, '/a/b'), 'literal')
  assert.equal(nameAt(index, '/a/c'), 'parameter')
  assert.equal(nameAt(index, '/a/c/d'), 'prefix')
  assert.equal(nameAt(index, '/a'), 'prefix')
  assert.equal(nameAt(index, '/a/'), 'prefix')
  assert.equal(nameAt(index, '/ab'), 'all')
  assert.equal(nameAt(index, '/'), 'all')
})

test('paths are compared from the left', () => {
  const index = indexOf(
    makeTrigger({ name: 'late', path: '/{x}/b' }),
    makeTrigger({ name: 'early', path: '/a/*' }),
  )
  assert.equal(nameAt(index, '/a/b'), 'early')
  assert.equal(nameAt(index, '/c/b'), 'late')
})

test('a less exact route takes what the more exact one does not go on to', () => {
  const index = indexOf(
    makeTrigger({ name: 'deep', path: '/a/b/c' }),
    makeTrigger({ name: 'wide', path: '/{x}/b/d' }),
  )
  assert.equal(nameAt(index, '/a/b/d'), 'wide')
})

test('a final slash and empty segments make another path', () => {
  const index = indexOf(
    makeTrigger({ name: 'plain', path: '/a' }),
    makeTrigger({ name: 'parameter', path: '/p/{id}' }),
  )
  assert.equal(nameAt(index, '/a/'), undefined)
  assert.equal(nameAt(index, '/p/'), undefined)
})

test('an encoded slash is part of a parameter', () => {
  const found = indexOf(makeTrigger({ path: '/p/{id}' })).find('', 'GET', '/p/a%2Fb')
  assert.deepEqual(found && 'values' in found && found.values, ['a%2Fb'])
})

test('a prefix tells what is left of the path', () => {
  const index = indexOf(makeTrigger({ path: '/v/{n}/*' }))
  for (const [path, rest] of [
    ['/v/1', '/'],
    ['/v/1/', '/'],
    ['/v/1/x/y', '/x/y'],
    ['/v/1//x', '//x'],
  ] as const) {
    const found = index.find('', 'GET', path)
    assert.equal(found && 'rest' in found ? found.rest : undefined, rest)
  }
})

test('a route for the host comes before one for any host, and falls back to it', () => {
  const index = indexOf(
    makeTrigger({ name: 'any', path: '/a' }),
    makeTrigger({ name: 'ours', path: '/*', host: 'Example.org' }),
    makeTrigger({ name: 'other', path: '/b' }),
  )
  assert.equal(nameAt(index, '/a', 'GET', 'example.org'), 'ours')
  assert.equal(nameAt(index, '/a', 'GET', 'else.org'), 'any')
  index.set(makeTrigger({ id: 'h2', name: 'two', path: '/x', host: 'two.org' }))
  assert.equal(nameAt(index, '/b', 'GET', 'two.org'), 'other')
})

test('the method decides among equal paths, and a wrong one lists the right ones', () => {
  const index = indexOf(
    makeTrigger({ name: 'get', path: '/a', methods: ['GET'] }),
    makeTrigger({ name: 'post', path: '/a', methods: ['POST', 'PUT'] }),
    makeTrigger({ name: 'any', path: '/b' }),
    makeTrigger({ name: 'head', path: '/b', methods: ['HEAD'] }),
  )
  assert.equal(nameAt(index, '/a', 'GET'), 'get')
  assert.equal(nameAt(index, '/a', 'HEAD'), 'get')
  assert.equal(nameAt(index, '/a', 'PUT'), 'post')
  assert.deepEqual(nameAt(index, '/a', 'DELETE'), ['GET', 'POST', 'PUT'])
  assert.equal(nameAt(index, '/b', 'HEAD'), 'head')
  assert.equal(nameAt(index, '/b', 'PATCH'), 'any')
})

test('of two equal routes the older wins, whatever order they came in', () => {
  const old = makeTrigger({ name: 'old', path: '/a', createdAt: 1 })
  const young = makeTrigger({ name: 'young', path: '/a', createdAt: 2 })
  assert.equal(nameAt(indexOf(old, young), '/a'), 'old')
  assert.equal(nameAt(indexOf(young, old), '/a'), 'old')
})

test('a changed route leaves its old place, a deleted one leaves no trace', () => {
  const trigger = makeTrigger({ id: 'x', name: 'x', path: '/a/b/{c}', host: 'h' })
  const index = indexOf(trigger)
  index.set({ ...trigger, path: '/z' })
  assert.equal(nameAt(index, '/a/b/c', 'GET', 'h'), undefined)
  assert.equal(nameAt(index, '/z', 'GET', 'h'), 'x')
  index.delete('x')
  assert.equal(nameAt(index, '/z', 'GET', 'h'), undefined)
  assert.equal(index.size, 0)
})

// The rules again, in the slowest way: take every route that fits, sort, take the first.

interface Candidate {
  readonly trigger: HttpTrigger
  readonly kinds: readonly number[]
  readonly isPrefix: number
  readonly method: number
}

function naive(
  triggers: readonly HttpTrigger[],
  host: string,
  method: string,
  path: string,
): string | undefined {
  const fitting = triggers.flatMap(trigger => {
    const candidate = fit(trigger, host, method, path)
    return candidate ? [candidate] : []
  })
  fitting.sort(
    (a, b) =>
      Number(a.trigger.host === undefined) - Number(b.trigger.host === undefined) ||
      compareKinds(a.kinds, b.kinds) ||
      b.method - a.method ||
      a.trigger.createdAt - b.trigger.createdAt,
  )
  return fitting[0]?.trigger.id
}

/** Literal 0, parameter 1, swallowed by a prefix 2; the end of the pattern is a segment of its own. */
function fit(trigger: HttpTrigger, host: string, method: string, path: string): Candidate | undefined {
  if (trigger.host !== undefined && trigger.host !== host) return undefined
  const rank =
    trigger.methods.length === 0
      ? 1
      : trigger.methods.includes(method)
        ? 3
        : method === 'HEAD' && trigger.methods.includes('GET')
          ? 2
          : 0
  if (rank === 0) return undefined
  const { segments, prefix } = parsePattern(trigger.path)
  const parts = path.slice(1).split('/')
  if (parts.length < segments.length || (!prefix && parts.length > segments.length)) return undefined
  const kinds: number[] = []
  for (const [i, segment] of segments.entries()) {
    if (segment === null ? parts[i] === '' : segment !== parts[i]) return undefined
    kinds.push(segment === null ? 1 : 0)
  }
  kinds.push(prefix ? 2 : 0)
  return { trigger, kinds, isPrefix: Number(prefix), method: rank }
}

function compareKinds(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return b.length - a.length
}

test('the index finds what a search through all routes by the written rules finds', () => {
  const segment = fc.constantFrom('a', 'b', 'c')
  const patternSegment = fc.oneof(segment, fc.constantFrom('{x}', '{y}'))
  const pattern = fc
    .tuple(
      fc.uniqueArray(patternSegment, { maxLength: 4, selector: s => (s.startsWith('{') ? s : Symbol(s)) }),
      fc.constantFrom('', '/', '/*'),
    )
    .map(([parts, end]) => parts.map(part => `/${part}`).join('') + end || '/')
  const trigger = fc.record({
    path: pattern,
    host: fc.constantFrom(undefined, 'h1', 'h2'),
    methods: fc.constantFrom([], ['GET'], ['POST'], ['GET', 'POST'], ['HEAD']),
  })
  const request = fc.record({
    host: fc.constantFrom('h1', 'h2', 'h3'),
    method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT'),
    path: fc
      .array(fc.oneof(segment, fc.constant('')), { minLength: 1, maxLength: 5 })
      .map(parts => `/${parts.join('/')}`),
  })
  fc.assert(
    fc.property(
      fc.array(trigger, { maxLength: 12 }),
      fc.array(fc.nat(), { maxLength: 4 }),
      fc.array(request, { minLength: 1, maxLength: 8 }),
      (partials, removed, requests) => {
        const triggers = partials.map(({ host, ...rest }, i) =>
          makeTrigger({ ...rest, ...(host && { host }), id: `r${i}`, createdAt: i }),
        )
        const index = indexOf(...triggers.toReversed())
        const gone = new Set(removed.map(n => `r${n % 12}`))
        for (const id of gone) index.delete(id)
        const left = triggers.filter(({ id }) => !gone.has(id))
        for (const { host, method, path } of requests) {
          const found = index.find(host, method, path)
          assert.equal(
            found && 'route' in found ? found.route.trigger.id : undefined,
            naive(left, host, method, path),
          )
        }
      },
    ),
    { numRuns: 2_000 },
  )
})
