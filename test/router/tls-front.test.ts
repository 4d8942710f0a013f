import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from 'node:test'
import { connect as connectTls } from 'node:tls'
import type { CreateFront, Front } from '../../src/router/front.ts'
import { createThinFront } from '../../src/router/thin/front.ts'
import { Certificate } from '../../src/server/certificate.ts'
import { frontSuite } from '../suites/front.ts'
import { makeCertificates, opensslMissing } from '../support/brokers/certificates.ts'

const folder = mkdtempSync(join(tmpdir(), 'atelier-tls-front-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

if (opensslMissing) describe('front: thin over TLS', { skip: opensslMissing }, () => {})
else {
  const { certPath, keyPath, ca } = await makeCertificates(folder)
  const certificate = await Certificate.open({ 'tls-cert': certPath, 'tls-key': keyPath })
  /** The front with TLS, behind a port at which each plain connection becomes an encrypted one, as a client would make it. */
  const front: CreateFront = options => {
    const inner = createThinFront({ ...options, encrypt: certificate!.encrypt })
    let innerPort = 0
    const open = new Set<Socket>()
    const tunnel = createServer({ noDelay: true }, plain => {
      const encrypted = connectTls({ port: innerPort, host: '127.0.0.1', ca })
      for (const each of [plain, encrypted]) open.add(each.once('close', () => open.delete(each)))
      couple(plain, encrypted)
    })
    const outer: Front = {
      async listen(port, host) {
        innerPort = (await inner.listen(0, host)).port
        await new Promise<void>(resolve => tunnel.listen(port, host, resolve))
        return { port: (tunnel.address() as { port: number }).port, host }
      },
      get listener() {
        return tunnel
      },
      get connectionsOpen() {
        return inner.connectionsOpen
      },
      async drain(graceMs) {
        tunnel.close()
        await inner.drain(graceMs)
      },
      async close() {
        tunnel.close()
        await inner.close()
        for (const each of open) each.destroy()
      },
    }
    return outer
  }
  frontSuite('thin over TLS', front)
}

/** What one says, the other hears; so with its end, and with its being broken off. */
function couple(plain: Socket, encrypted: Socket): void {
  plain.pipe(encrypted).pipe(plain)
  plain.on('error', () => encrypted.destroy())
  let isSecure = false
  encrypted.once('secureConnect', () => (isSecure = true))
  // A connection that was never secure has said nothing that could be broken off.
  encrypted.on('error', () => (isSecure ? plain.resetAndDestroy() : plain.destroy()))
  plain.on('close', () => encrypted.end())
  encrypted.on('close', () => plain.end())
}
