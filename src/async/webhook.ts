import { request as httpsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { type CloudEvent, toStructured } from '../cloudevents/index.ts'
import { type AddressPolicy, AtelierError, guardNetwork, nodeHttp } from '../core/index.ts'

const TIMEOUT_MS = 30_000

/** Sends an event to a URL (POST, structured CloudEvent). Rejects unless the answer is 2xx; a redirect is no answer. */
export type DeliverWebhook = (url: string, event: CloudEvent) => Promise<void>

/** A tenant chooses the URL: only addresses that the policy allows are connected to. */
export function createWebhooks(addresses: AddressPolicy): DeliverWebhook {
  const network = guardNetwork(addresses, ({ kind }) =>
    kind === 'unknown'
      ? new AtelierError('UNAVAILABLE', 'Its name cannot be found.')
      : new AtelierError('FORBIDDEN', NOT_ALLOWED),
  )
  return async (url, event) => {
    const target = targetOf(url)
    // A literal address never comes to the look-up.
    if (isIP(target.hostname.replace(/^\[|\]$/g, ''))) await network.resolve(target.hostname)
    await send(target, event, network.lookup)
  }
}

const NOT_ALLOWED =
  'Its address is one of this machine or of its link, or one that the operator denied (settings "local-webhooks", "source-deny").'

function targetOf(url: string): URL {
  const target = URL.canParse(url) ? new URL(url) : undefined
  if (!target) throw new AtelierError('FORBIDDEN', 'Its URL cannot be read.')
  if (target.protocol !== 'http:' && target.protocol !== 'https:')
    throw new AtelierError('FORBIDDEN', 'Its URL is neither http nor https.')
  return target
}

function send(target: URL, event: CloudEvent, lookup: LookupFunction): Promise<void> {
  const { headers, body } = toStructured(event)
  return new Promise((resolve, reject) => {
    const fail = (message: string): void => reject(new AtelierError('UNAVAILABLE', message))
    const request = target.protocol === 'https:' ? httpsRequest : nodeHttp().request
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    const sent = request(
      target,
      {
        method: 'POST',
        headers: {
          ...pairs(headers),
          'content-length': body.length,
          'user-agent': 'atelier',
        },
        agent: false,
        lookup,
        signal,
      },
      response => {
        const { statusCode = 0 } = response
        response.destroy()
        if (statusCode >= 200 && statusCode < 300) resolve()
        else fail(`It answered with status ${statusCode}.`)
      },
    )
    sent.on('error', error => {
      if (error instanceof AtelierError) reject(error)
      else fail(signal.aborted ? `It did not answer within ${TIMEOUT_MS} ms.` : 'It cannot be reached.')
    })
    sent.end(body)
  })
}

function pairs(list: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {}
  for (let i = 0; i < list.length; i += 2) found[list[i]!] = list[i + 1]!
  return found
}
