import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { missingProgram } from './daemon.ts'

const OPENSSL = '/usr/bin/openssl'
const DAYS = '2'
const run = promisify(execFile)

export const opensslMissing = missingProgram(OPENSSL, 'openssl')

/** A private authority and a certificate of it for this machine's loopback; and an authority that has signed nothing. */
export interface Certificates {
  readonly caPath: string
  readonly certPath: string
  readonly keyPath: string
  /** PEM. */
  readonly ca: string
  readonly otherCa: string
}

/** Made in `folder`, with the names `localhost`, 127.0.0.1 and ::1. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  const at = (name: string): string => join(folder, name)
  const openssl = (...args: string[]) => run(OPENSSL, args, { cwd: folder })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  for (const name of ['ca', 'other-ca'])
    await openssl(
      'req',
      '-x509',
      ...key,
      '-keyout',
      at(`${name}.key`),
      '-out',
      at(`${name}.pem`),
      '-days',
      DAYS,
      '-subj',
      `/CN=${name} of tests`,
    )
  await openssl('req', ...key, '-keyout', at('key.pem'), '-out', at('request.pem'), '-subj', '/CN=broker')
  await writeFile(at('names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n')
  await openssl(
    'x509',
    '-req',
    '-in',
    at('request.pem'),
    '-CA',
    at('ca.pem'),
    '-CAkey',
    at('ca.key'),
    '-CAcreateserial',
    '-days',
    DAYS,
    '-extfile',
    at('names'),
    '-out',
    at('cert.pem'),
  )
  return {
    caPath: at('ca.pem'),
    certPath: at('cert.pem'),
    keyPath: at('key.pem'),
    ca: await readFile(at('ca.pem'), 'utf8'),
    otherCa: await readFile(at('other-ca.pem'), 'utf8'),
  }
}
