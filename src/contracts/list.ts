import { AtelierError, systemClock } from '../core/index.ts'
import type { Contract, ContractCapabilities } from './contract.ts'
import { framesContract } from './frames/contract.ts'
import { HTTP_CAPABILITIES } from './http/capabilities.ts'

/** What each contract is; the code that speaks it is loaded when a function first uses it. */
const contracts: readonly Contract[] = [
  framesContract,
  later('http', HTTP_CAPABILITIES, async () =>
    (await import('./http/contract.ts')).createHttpContract(systemClock),
  ),
]

/** Names of the contracts that a function can choose. */
export const contractNames: readonly string[] = contracts.map(contract => contract.name)

/** The contract of this name. Throws BACKEND_FAILED when there is none. */
export function findContract(name: string): Contract {
  const found = contracts.find(contract => contract.name === name)
  if (found) return found
  throw new AtelierError('BACKEND_FAILED', `There is no contract "${name}".`)
}

function later(name: string, capabilities: ContractCapabilities, load: () => Promise<Contract>): Contract {
  let loading: Promise<Contract> | undefined
  return {
    name,
    capabilities,
    prepare: async start => (await (loading ??= load())).prepare(start),
  }
}
