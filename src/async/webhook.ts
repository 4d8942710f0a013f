import { lookup } from 'node:dns'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { type CloudEvent, toStructured } from '../cloudevents/index.ts'
import { AtelierError } from '../core/index.ts'

const TIMEOUT_MS = 30_000

/**
 * Sends an event to a URL (POST, structured CloudEvent). Rejects unless the answer is 2xx; a redirect is no answer. A tenant
 * chooses the URL: unless `isLocalAllowed`, the address is checked after the name was resolved, and it is that address
 * which is connected to, so that no name leads to this machine or its link.
 */
export function deliverWebhook(url: string, event: CloudEvent, isLocalAllowed = false): Promise<void> {
  const isAllowed = isLocalAllowed ? () => true : mayBeSentTo
  const { headers, body } = toStructured(event)
  return new Promise((resolve, reject) => {
    const fail = (message: string, isFinal = false): void =>
      reject(new AtelierError(isFinal ? 'FORBIDDEN' : 'UNAVAILABLE', message))
    let target: URL
    try {
      target = new URL(url)
    } catch {
      return fail('Its URL cannot be read.', true)
    }
    const host = target.hostname.replace(/^\[|\]$/g, '')
    if (target.protocol !== 'http:' && target.protocol !== 'https:')
      return fail('Its URL is neither http nor https.', true)
    // An address is not looked up.
    if (isIP(host) && !isAllowed(host)) return fail(NOT_ALLOWED, true)
    const send = target.protocol === 'https:' ? httpsRequest : httpRequest
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    const request = send(
      target,
      {
        method: 'POST',
        headers: {
          ...pairs(headers),
          'content-length': body.length,
          'user-agent': 'atelier',
        },
        agent: false,
        lookup: checkedLookup(isAllowed),
        signal,
      },
      response => {
        const { statusCode = 0 } = response
        response.destroy()
        if (statusCode >= 200 && statusCode < 300) resolve()
        else fail(`It answered with status ${statusCode}.`)
      },
    )
    request.on('error', error => {
      if (error instanceof AtelierError) reject(error)
      else fail(signal.aborted ? `It did not answer within ${TIMEOUT_MS} ms.` : 'It cannot be reached.')
    })
    request.end(body)
  })
}

const NOT_ALLOWED = 'Its address is one of this machine or of its link.'

function checkedLookup(isAllowed: (address: string) => boolean): LookupFunction {
  return (host, options, callback) => {
    lookup(host, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, '', 4)
      const allowed = found.filter(({ address }) => isAllowed(address))
      if (allowed.length === 0) return callback(new AtelierError('FORBIDDEN', NOT_ALLOWED), '', 4)
      if (options.all) callback(null, allowed)
      else callback(null, allowed[0]!.address, allowed[0]!.family)
    })
  }
}

// What leads to this machine, to services that only its link has (metadata of clouds), or to many at once. Private networks
// are not among them: in a private cloud that is where webhooks are.
const FORBIDDEN = new BlockList()
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['100.100.100.200', 32],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  FORBIDDEN.addSubnet(network, bits)
for (const [network, bits] of [
  ['::', 96],
  ['64:ff9b::', 96], // what stands for an IPv4 address is checked nowhere else
  ['64:ff9b:1::', 48],
  ['2002::', 16],
  ['fe80::', 10],
  ['fd00:ec2::254', 128],
  ['ff00::', 8],
] as const)
  FORBIDDEN.addSubnet(network, bits, 'ipv6')

/** Whether a tenant may have an event sent to this address. */
export function mayBeSentTo(address: string): boolean {
  const family = isIP(address)
  if (family === 0) return false
  // An IPv4 address in IPv6 clothes (`::ffff:127.0.0.1`) is matched by the rules for IPv4.
  return !FORBIDDEN.check(address, family === 6 ? 'ipv6' : 'ipv4')
}

function pairs(list: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {}
  for (let i = 0; i < list.length; i += 2) found[list[i]!] = list[i + 1]!
  return found
}
