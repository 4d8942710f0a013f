import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { canonicalPath, parsePattern } from '../../src/core/index.ts'

test('escapes of unreserved characters are decoded, others get upper-case digits', () => {
  assert.equal(canonicalPath('/%61%2D%7E'), '/a-~')
  assert.equal(canonicalPath('/a%2fb%c3%a4'), '/a%2Fb%C3%A4')
  assert.equal(canonicalPath('/%7Bx%7D'), '/%7Bx%7D')
})

test('characters that browsers leave raw are escaped', () => {
  assert.equal(canonicalPath('/a|b[0]^{}"<>`'), '/a%7Cb%5B0%5D%5E%7B%7D%22%3C%3E%60')
})

test('empty segments and a final slash are kept', () => {
  assert.equal(canonicalPath('/a//b'), '/a//b')
  assert.equal(canonicalPath('/a/'), '/a/')
  assert.equal(canonicalPath('/'), '/')
})

test('a path with two readings is refused', () => {
  const refused = [
    '',
    'a',
    '//a',
    '/.',
    '/..',
    '/a/../b',
    '/a/./b',
    '/a/..',
    '/%2e%2e/b',
    '/a/.%2E',
    '/a/%2e',
    '/%',
    '/%4',
    '/%zz',
    '/%00',
    '/a%00b',
    '/a\\b',
    '/a b',
    '/\u00e4',
    '/\n',
    '/\x7f',
    '/%2',
  ]
  for (const path of refused) assert.equal(canonicalPath(path), undefined, JSON.stringify(path))
})

test('a segment that only begins with dots is a segment like any other', () => {
  for (const path of ['/.well-known/x', '/...', '/a/..b', '/a..', '/.a/.b/'])
    assert.equal(canonicalPath(path), path)
})

test('the canonical form is its own canonical form and holds no dot segment, whatever came in', () => {
  const piece = fc.oneof(
    fc.constantFrom('/', '.', '..', '%2e', '%2E', '%2f', '%5c', '%', 'a', 'B', '%41', '%c3', '\\', '//'),
    fc.string({ maxLength: 3 }),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), pieces => {
      const canonical = canonicalPath(`/${pieces.join('')}`)
      if (canonical === undefined) return
      assert.equal(canonicalPath(canonical), canonical)
      assert.ok(!canonical.split('/').some(segment => segment === '.' || segment === '..'))
      // The WHATWG parser, which functions in Node use, reads the same path out of it.
      assert.equal(new URL(`http://host${canonical}`).pathname, canonical)
    }),
    { numRuns: 2_000 },
  )
})

test('a pattern is literals, parameters and perhaps a prefix', () => {
  assert.deepEqual(parsePattern('/'), { segments: [''], parameters: [], prefix: false })
  assert.deepEqual(parsePattern('/*'), { segments: [], parameters: [], prefix: true })
  assert.deepEqual(parsePattern('/a/{id}/b'), {
    segments: ['a', null, 'b'],
    parameters: ['id'],
    prefix: false,
  })
  assert.deepEqual(parsePattern('/a/{id}/*'), { segments: ['a', null], parameters: ['id'], prefix: true })
  assert.deepEqual(parsePattern('/%61/').segments, ['a', ''])
})

test('a pattern that cannot be routed is refused with the reason', () => {
  for (const [path, reason] of [
    ['a', /begin with "\/"/],
    ['/a/*/b', /last segment/],
    ['/a*', /last segment/],
    ['/{a}{b}', /whole segment/],
    ['/x{a}', /whole segment/],
    ['/{}', /whole segment/],
    ['/{id}/{ID}', /twice/],
    ['//a', /"\/\/"/],
    ['/a/../b', /cannot stand in a URL/],
    ['/a?b', /cannot stand in a URL/],
    ['/a%zz', /cannot stand in a URL/],
    [`/${'a/'.repeat(40)}`, /more than 32/],
  ] as const)
    assert.throws(() => parsePattern(path), { code: 'INVALID_INPUT', message: reason }, path)
})
