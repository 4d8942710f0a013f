import { BlockList, isIP } from 'node:net'

/**
 * Which addresses the server connects to because a tenant said so: brokers, webhooks, stores. Not this machine, nor
 * what only answers from inside of a cloud, such as its metadata, unless the operator allows it.
 */
export interface AddressPolicy {
  /** False also for what is no address. */
  allows(address: string): boolean
}

/**
 * Networks in CIDR notation or single addresses; `local`: this machine, its link and clouds' metadata are no exception.
 * Throws a RangeError that names the one that is neither.
 */
export function createAddressPolicy(
  options: { allow?: readonly string[]; deny?: readonly string[]; local?: boolean } = {},
) {
  const allowed = blockListOf(options.allow ?? [])
  const denied = blockListOf([...(options.local ? [] : DENIED), ...(options.deny ?? [])])
  return {
    allows(address: string): boolean {
      // An IPv4 address in IPv6 clothes is judged as what it is.
      const bare = unmapped(address)
      const family = isIP(bare)
      if (family === 0) return false
      const kind = family === 4 ? 'ipv4' : 'ipv6'
      return allowed.check(bare, kind) || !denied.check(bare, kind)
    },
  } satisfies AddressPolicy
}

const DENIED = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16', // link-local, where clouds keep their metadata; the next three are where others keep theirs
  '168.63.129.16',
  '100.100.100.200',
  '192.0.0.192',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/96', // all zeros, this machine, and IPv4 addresses as they were written once
  '64:ff9b::/96', // IPv4 behind a translator: could be any of the above
  '64:ff9b:1::/48',
  '2002::/16',
  'fd00:ec2::254',
  'fe80::/10',
  'ff00::/8',
]

function blockListOf(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits, ...rest] = network.trim().split('/')
    const family = isIP(address)
    const size = family === 4 ? 32 : 128
    const prefix = bits === undefined ? size : Number(bits)
    const whole = /^\d+$/.test(bits ?? '0') && prefix <= size && rest.length === 0
    if (family === 0 || !whole)
      throw new RangeError(`"${network}" is neither an address nor a network like 10.0.0.0/8`)
    list.addSubnet(address, prefix, family === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}

function unmapped(address: string): string {
  const bare = address.replace(/^\[|\]$|%.*$/g, '')
  if (isIP(bare) !== 6) return bare
  // The URL parser writes IPv6 in one canonical form; "::ffff:7f00:1" is 127.0.0.1.
  const canonical = new URL(`http://[${bare}]/`).hostname.slice(1, -1)
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical)
  if (!mapped) return canonical
  const [high, low] = [Number.parseInt(mapped[1]!, 16), Number.parseInt(mapped[2]!, 16)]
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}
