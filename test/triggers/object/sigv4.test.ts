import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readListing } from '../../../src/triggers/object/poll/s3.ts'
import { canonicalQuery, signGet } from '../../../src/triggers/object/poll/sigv4.ts'

const key = {
  accessKey: 'AKIAIOSFODNN7EXAMPLE',
  secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  region: 'us-east-1',
}

/** The signature of a request of the worked examples in the documentation of Amazon S3. */
function signature(query: string): string {
  const url = new URL(`https://examplebucket.s3.amazonaws.com/${query}`)
  return /Signature=([0-9a-f]+)$/.exec(signGet(url, key, Date.UTC(2013, 4, 24))['authorization']!)![1]!
}

test('signatures are those of the published examples', () => {
  assert.equal(
    signature('?max-keys=2&prefix=J'),
    '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  )
  assert.equal(signature('?lifecycle'), 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543')
})

test('a query is signed sorted and strictly encoded', () => {
  const url = new URL('http://s3/b')
  for (const [name, value] of [
    ['prefix', "a b/ü!'()*+"],
    ['list-type', '2'],
    ['delimiter', ''],
  ] as const)
    url.searchParams.set(name, value)
  assert.equal(canonicalQuery(url), 'delimiter=&list-type=2&prefix=a%20b%2F%C3%BC%21%27%28%29%2A%2B')
})

test('a listing is read with its names decoded', () => {
  const entry = (name: string) =>
    `<Contents><Key>${name}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;e1&quot;</ETag><Size>7</Size></Contents>`
  const xml = `<?xml version="1.0"?><ListBucketResult xmlns="x"><NextContinuationToken>t&amp;1</NextContinuationToken>${entry('a%2Fb%20c%3C%26.jpg')}${entry('d+e')}${entry('%')}</ListBucketResult>`
  const page = readListing(xml)
  assert.deepEqual(
    page?.objects.map(each => each.name),
    ['a/b c<&.jpg', 'd e'],
  )
  assert.deepEqual(page?.objects[0], {
    name: 'a/b c<&.jpg',
    etag: 'e1',
    sizeBytes: 7,
    modifiedMs: Date.UTC(2026, 0, 1),
  })
  assert.equal(page?.next, 't&1')
  assert.equal(readListing('<html>no</html>'), undefined)
  // Read in the time that it takes to read it.
  const endless = `<ListBucketResult><NextContinuationToken>n</NextContinuationToken>${'<Contents>'.repeat(2_000_000)}`
  assert.deepEqual(readListing(endless), { objects: [], next: 'n' })
})
