import { type Clock, systemClock } from '../core/index.ts'
import { type AddressPolicies, addressPoliciesOf } from './addresses.ts'
import { Certificate } from './certificate.ts'
import type { ServerConfig } from './config.ts'
import { type Home, openHome } from './home.ts'
import type { ServerLog } from './log.ts'
import { OwnUrls } from './own-urls.ts'
import { packageVersion } from './version.ts'

/** What every step of a start has at hand. */
export interface Site {
  readonly config: ServerConfig
  readonly log: ServerLog
  /** Writes to the log what went wrong where nobody waits for an answer. */
  readonly onProblem: (message: string, cause?: unknown) => void
  readonly clock: Clock
  readonly version: string
  /** Epoch ms. */
  readonly startedAt: number
  readonly home: Home
  readonly addresses: AddressPolicies
  /** Without it, the server speaks plain HTTP. */
  readonly certificate: Certificate | undefined
  readonly urls: OwnUrls
  /** What a step opens it puts here: all is closed in reverse order, also when a later step fails. */
  readonly opened: AsyncDisposableStack
}

/** Reads what the settings hold in words and files, and makes the data directory. Rejects with INVALID_INPUT that names the setting. */
export async function openSite(
  config: ServerConfig,
  log: ServerLog,
  opened: AsyncDisposableStack,
): Promise<Site> {
  const addresses = addressPoliciesOf(config)
  const certificate = await Certificate.open(config)
  return {
    config,
    log,
    onProblem: (message, cause) => log.error({ err: cause }, message),
    clock: systemClock,
    version: packageVersion(),
    startedAt: Date.now(),
    home: openHome(config.home),
    addresses,
    certificate,
    urls: new OwnUrls({
      scheme: certificate ? 'https' : 'http',
      host: config.host,
      router: config['router-url'],
    }),
    opened,
  }
}
