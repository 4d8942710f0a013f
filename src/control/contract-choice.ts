import { contractNames, findContract } from '../contracts/index.ts'
import { AtelierError, type ContractChoice, LIMITS_DEFAULT, type Limits } from '../core/index.ts'
import type { Environment } from '../environments/index.ts'
import type { Problems } from './validate.ts'

const READY_PATH_CHARACTERS_MAX = 1_024
const START_MS_MAX = 600_000
const READY_PATH = /^\/[\x21-\x7e]*$/

/** What is asked for, whole; each field that is wrong is added to `problems`. */
export function contractOf(
  given: string | ContractChoice | undefined,
  problems: Problems,
): ContractChoice | undefined {
  if (given === undefined) return undefined
  const choice = typeof given === 'string' ? { name: given } : given
  const { name, port, readyPath, startMs } = choice
  if (!contractNames.includes(name)) {
    problems.add(
      'contract',
      `${JSON.stringify(name.slice(0, 80))} does not exist; there are: ${contractNames.join(', ')}`,
    )
    return undefined
  }
  if (port !== undefined && !isWithin(port, 1, 65_535)) problems.add('contract.port', 'must be 1 to 65535')
  if (startMs !== undefined && !isWithin(startMs, 1, START_MS_MAX))
    problems.add('contract.startMs', `must be 1 to ${START_MS_MAX}`)
  if (
    readyPath !== undefined &&
    (!READY_PATH.test(readyPath) || readyPath.length > READY_PATH_CHARACTERS_MAX)
  )
    problems.add('contract.readyPath', 'must be a path that begins with "/"')
  return {
    name,
    ...(port !== undefined && { port }),
    ...(readyPath !== undefined && { readyPath }),
    ...(startMs !== undefined && { startMs }),
  }
}

/** The limits of functions that say nothing: a server takes several calls at once, what is only a function one. */
export function limitsDefault(contract: ContractChoice | undefined): Limits {
  const concurrency = contract && findContract(contract.name).capabilities.concurrencyDefault
  return concurrency === undefined ? LIMITS_DEFAULT : { ...LIMITS_DEFAULT, concurrency }
}

export function checkConcurrency(
  contract: ContractChoice | undefined,
  limits: Limits,
  problems: Problems,
): void {
  if (contract === undefined || limits.concurrency === 1) return
  if (!findContract(contract.name).capabilities.concurrency)
    problems.add('limits.concurrency', `must be 1: contract "${contract.name}" takes one call at a time`)
}

/** The choice as it is frozen: nothing where it is the environment's own. Throws INVALID_INPUT when that starts no such process. */
export function frozenChoice(
  choice: ContractChoice | undefined,
  environment: Environment,
  entry: string,
): ContractChoice | undefined {
  if (choice === undefined || choice.name === environment.contract) return undefined
  if (environment.commandFor?.(choice.name, entry) !== undefined) return choice
  const detail = `"${choice.name}" cannot be used with environment "${environment.name}"`
  throw new AtelierError('INVALID_INPUT', `contract ${detail}.`, {
    errors: [{ pointer: 'contract', detail }],
  })
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most
}
