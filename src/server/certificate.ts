import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { SecureContext } from 'node:tls'
import { AtelierError } from '../core/index.ts'
import type { Encrypt } from '../router/index.ts'
import type { ServerConfig } from './config.ts'

/** A certificate with what leads to its authority, and its key: PEM. */
export interface CertificatePair {
  readonly cert: string
  readonly key: string
}

type Tls = typeof import('node:tls')

/**
 * What this server shows to those who connect over TLS. Connections that are open keep what they were shown; `reload` is for
 * the next ones.
 */
export class Certificate {
  readonly #paths: CertificatePair
  readonly #tls: Tls
  #pair: CertificatePair
  #context: SecureContext

  private constructor(paths: CertificatePair, tls: Tls, pair: CertificatePair) {
    this.#paths = paths
    this.#tls = tls
    this.#pair = pair
    this.#context = contextOf(tls, paths, pair)
  }

  /** `undefined` where the settings name none. Rejects with INVALID_INPUT that names the setting. */
  static async open(config: Pick<ServerConfig, 'tls-cert' | 'tls-key'>): Promise<Certificate | undefined> {
    const paths = { cert: config['tls-cert'], key: config['tls-key'] }
    if (paths.cert === '' && paths.key === '') return undefined
    for (const name of ['cert', 'key'] as const)
      if (paths[name] === '')
        throw new AtelierError('INVALID_INPUT', `The setting tls-${name} is missing: TLS needs both files.`)
    return new Certificate(paths, await import('node:tls'), await read(paths))
  }

  get pair(): CertificatePair {
    return this.#pair
  }

  /** When it ends, in words, and for whom it is. */
  get facts(): { readonly until: string; readonly names: string } {
    const { validTo, subjectAltName, subject } = new X509Certificate(this.#pair.cert)
    return { until: validTo, names: subjectAltName ?? subject }
  }

  /** Reads the files again. Rejects with INVALID_INPUT when they cannot be used: then what was is still shown. */
  async reload(): Promise<void> {
    const pair = await read(this.#paths)
    this.#context = contextOf(this.#tls, this.#paths, pair)
    this.#pair = pair
  }

  readonly encrypt: Encrypt = socket =>
    new this.#tls.TLSSocket(socket, {
      isServer: true,
      secureContext: this.#context,
      ALPNProtocols: ['http/1.1'],
    })
}

async function read(paths: CertificatePair): Promise<CertificatePair> {
  const file = (name: keyof CertificatePair): Promise<string> =>
    readFile(paths[name], 'utf8').catch((cause: NodeJS.ErrnoException) => {
      const why = REASONS[cause.code ?? ''] ?? String(cause.code)
      throw new AtelierError(
        'INVALID_INPUT',
        `The file ${paths[name]} of tls-${name} cannot be read: ${why}.`,
        {
          cause,
        },
      )
    })
  return { cert: await file('cert'), key: await file('key') }
}

function contextOf(tls: Tls, paths: CertificatePair, pair: CertificatePair): SecureContext {
  try {
    return tls.createSecureContext(pair)
  } catch (cause) {
    const why = MISMATCH.test(String(cause))
      ? 'the key belongs to another certificate'
      : 'they must be PEM, the key without a passphrase'
    throw new AtelierError(
      'INVALID_INPUT',
      `The certificate ${paths.cert} and the key ${paths.key} cannot be used: ${why}.`,
      { cause },
    )
  }
}

const MISMATCH = /mismatch/i
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a folder',
}
