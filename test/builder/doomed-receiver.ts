/** Receives one package after the other and prints the digest of each when it is acknowledged, until it is killed. */
import { Readable } from 'node:stream'
import { FakeBackend } from '../../src/backends/fake/index.ts'
import { createBuilder } from '../../src/builder/index.ts'
import { rawTar } from './archives.ts'

const [path = '', round = ''] = process.argv.slice(2)
const builder = await createBuilder({ path, backend: new FakeBackend(), environments: new Map() })
for (let number = 0; ; number++) {
  const files = Array.from({ length: 20 }, (_, i) => ({
    name: `f${i}`,
    body: `${round} ${number} ${'x'.repeat(5000)}`,
  }))
  const received = await builder.receive(
    Readable.from([rawTar(files)]),
    'a.tar',
    new AbortController().signal,
  )
  process.stdout.write(`${received.digest}\n`)
}
