import { type AddressPolicy, AtelierError, type GuardedNetwork, guardNetwork } from '../../core/index.ts'

/** The way to stores and buses that tenants name; its errors are FORBIDDEN, and UNAVAILABLE when the name is not known. */
export function storeNetwork(addresses: AddressPolicy): GuardedNetwork {
  return guardNetwork(addresses, problem =>
    problem.kind === 'unknown'
      ? new AtelierError('UNAVAILABLE', `The name ${problem.host} cannot be found.`, { cause: problem.cause })
      : forbidden(problem.host),
  )
}

function forbidden(host: string): AtelierError {
  return new AtelierError(
    'FORBIDDEN',
    `The server does not connect to ${host}: addresses of its own machine, link-local ones and those that the operator ` +
      'denied are not for event sources (setting "source-allow").',
  )
}
