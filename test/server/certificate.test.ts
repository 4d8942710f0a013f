import assert from 'node:assert/strict'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer as createTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { connect } from 'node:tls'
import { Certificate } from '../../src/server/certificate.ts'
import { type Certificates, makeCertificates, opensslMissing } from '../support/brokers/certificates.ts'

describe('the certificate of the server', { skip: opensslMissing ?? false }, () => {
  let folder: string
  let first: Certificates
  let second: Certificates

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'atelier-certificate-'))
    const [one, two] = [join(folder, 'one'), join(folder, 'two')]
    for (const each of [one, two]) await mkdir(each)
    first = await makeCertificates(one)
    second = await makeCertificates(two)
  })
  after(() => rm(folder, { recursive: true, force: true }))

  const open = (cert: string, key: string) => Certificate.open({ 'tls-cert': cert, 'tls-key': key })

  test('there is none where no file is named', async () => {
    assert.equal(await open('', ''), undefined)
  })

  test('what cannot be used is refused, with the setting or the file', async () => {
    const missing = join(folder, 'missing.pem')
    const noPem = join(folder, 'text')
    await writeFile(noPem, 'no certificate')
    for (const [cert, key, says] of [
      [first.certPath, '', /tls-key is missing/],
      ['', first.keyPath, /tls-cert is missing/],
      [missing, first.keyPath, /missing\.pem of tls-cert cannot be read: there is no such file/],
      [first.certPath, folder, /of tls-key cannot be read: it is a folder/],
      [noPem, first.keyPath, /cannot be used: they must be PEM/],
      [first.certPath, noPem, /cannot be used: they must be PEM/],
      [first.certPath, second.keyPath, /the key belongs to another certificate/],
    ] as const)
      await assert.rejects(open(cert, key), { code: 'INVALID_INPUT', message: says })
  })

  test('it is shown to those who connect; after it was renewed, the new one is, and one that is broken never', async t => {
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    const put = async (from: Certificates) => {
      await copyFile(from.certPath, cert)
      await copyFile(from.keyPath, key)
    }
    await put(first)
    const certificate = (await open(cert, key))!
    assert.match(certificate.facts.names, /localhost/)
    assert.ok(Date.parse(certificate.facts.until) > Date.now())
    const server = createTcp(socket =>
      certificate
        .encrypt(socket)
        .on('error', () => {})
        .end('hello'),
    )
    t.after(() => server.close())
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const said = (ca: string): Promise<string> =>
      new Promise((resolve, reject) => {
        let text = ''
        connect({ port, host: '127.0.0.1', ca, ALPNProtocols: ['http/1.1'] })
          .setEncoding('utf8')
          .on('data', (chunk: string) => (text += chunk))
          .on('end', () => resolve(text))
          .on('error', reject)
      })
    assert.equal(await said(first.ca), 'hello')
    await assert.rejects(said(second.ca), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })

    await copyFile(second.certPath, cert) // the key is the old one still
    await assert.rejects(certificate.reload(), { code: 'INVALID_INPUT' })
    assert.equal(await said(first.ca), 'hello')
    await put(second)
    await certificate.reload()
    assert.equal(await said(second.ca), 'hello')
    await assert.rejects(said(first.ca), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
  })
})
