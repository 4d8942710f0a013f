import { type AddressPolicy, AtelierError, guardNetwork } from '../../core/index.ts'

/** Images of this machine, which its operator has put there for everybody; never pulled. */
export const OWN_IMAGES = 'localhost'

/** Rejects with FORBIDDEN when images may not be pulled from this host, which a tenant named (`host` or `host:port`). */
export type RegistryGuard = (host: string) => Promise<void>

/**
 * Registries must not be addresses that `policy` denies: the engine would speak to them for a tenant, from inside. A name that is not
 * known here is left to the engine, which may know it by its proxy.
 */
export function guardRegistries(policy: AddressPolicy): RegistryGuard {
  const network = guardNetwork(policy, problem =>
    problem.kind === 'unknown' ? UNKNOWN : forbidden(problem.host),
  )
  return async host => {
    try {
      await network.resolve(host.replace(/:\d+$/, ''))
    } catch (error) {
      if (error !== UNKNOWN) throw error
    }
  }
}

const UNKNOWN = new Error('the name is not known')

/**
 * The registry that an image's name asks, as engines read it: the first part, where that looks like a host. Others are had from the registry
 * that the engine's operator has chosen.
 */
export function registryOf(name: string): string | undefined {
  const slash = name.indexOf('/')
  const first = name.slice(0, Math.max(0, slash))
  return /[.:]/.test(first) ? first : undefined
}

function forbidden(host: string): AtelierError {
  return new AtelierError(
    'FORBIDDEN',
    `Images are not pulled from ${host}: this machine, link-local addresses and those that the operator denied are no ` +
      'registries (setting "registry-allow").',
  )
}
