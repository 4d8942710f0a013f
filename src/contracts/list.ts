import { AtelierError, systemClock } from '../core/index.ts'
import type { Contract, ContractCapabilities } from './contract.ts'
import { FISSION_CAPABILITIES } from './fission/capabilities.ts'
import { FN_CAPABILITIES } from './fn/capabilities.ts'
import { framesContract } from './frames/contract.ts'
import { HTTP_CAPABILITIES } from './http/capabilities.ts'
import { LAMBDA_CAPABILITIES } from './lambda/capabilities.ts'
import { QINLING_CAPABILITIES } from './qinling/capabilities.ts'
import { STDIO_CAPABILITIES, STDIO_HTTP_CAPABILITIES } from './stdio/capabilities.ts'

/** What each contract is; the code that speaks it is loaded when a function first uses it. */
const contracts: readonly Contract[] = [
  framesContract,
  later('http', HTTP_CAPABILITIES, async () =>
    (await import('./http/contract.ts')).createHttpContract(systemClock),
  ),
  later('stdio', STDIO_CAPABILITIES, async () =>
    (await import('./stdio/contract.ts')).createStdioContract(systemClock),
  ),
  later('stdio-http', STDIO_HTTP_CAPABILITIES, async () =>
    (await import('./stdio/contract.ts')).createStdioHttpContract(),
  ),
  later('fission', FISSION_CAPABILITIES, async () =>
    (await import('./fission/contract.ts')).createFissionContract(systemClock),
  ),
  later('qinling', QINLING_CAPABILITIES, async () =>
    (await import('./qinling/contract.ts')).createQinlingContract(systemClock),
  ),
  later('lambda', LAMBDA_CAPABILITIES, async () =>
    (await import('./lambda/contract.ts')).createLambdaContract(systemClock),
  ),
  later('fn', FN_CAPABILITIES, async () => (await import('./fn/contract.ts')).createFnContract(systemClock)),
  later('functions-framework', HTTP_CAPABILITIES, async () =>
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
