import { contractNames, findContract } from '../contracts/index.ts'
import { type ContractChoice, invalidField, LIMITS_DEFAULT, type Limits } from '../core/index.ts'
import type { Environment } from '../environments/index.ts'
import type { Problems } from './validate.ts'

const READY_PATH_CHARACTERS_MAX = 1_024
const START_MS_MAX = 600_000
const FUNCTION_NAME = /^[\x20-\x7e]{1,500}$/
const CODE_CHARACTERS_MAX = 1_024
const CODE_CHARACTERS = /^[^\p{Cc}]+$/u
const READY_PATH = /^\/[\x21-\x7e]*$/

/** What is asked for, whole; each field that is wrong is added to `problems`. */
export function contractOf(
  given: string | ContractChoice | undefined,
  problems: Problems,
): ContractChoice | undefined {
  if (given === undefined) return undefined
  const choice = typeof given === 'string' ? { name: given } : given
  const { name, port, readyPath, startMs, functionName, code, interfaceVersion } = choice
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
  if (functionName !== undefined && !FUNCTION_NAME.test(functionName))
    problems.add('contract.functionName', 'must have at most 500 visible characters')
  if (code !== undefined && !isInside(code))
    problems.add('contract.code', 'must be a path in the package, without ".." and "."')
  if (interfaceVersion !== undefined && interfaceVersion !== 1 && interfaceVersion !== 2)
    problems.add('contract.interfaceVersion', 'must be 1 or 2')
  return {
    name,
    ...(port !== undefined && { port }),
    ...(readyPath !== undefined && { readyPath }),
    ...(startMs !== undefined && { startMs }),
    ...(functionName !== undefined && { functionName }),
    ...(code !== undefined && { code }),
    ...(interfaceVersion !== undefined && { interfaceVersion }),
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
  const isOwn = choice === undefined || choice.name === environment.contract
  if (isOwn && environment.isImage !== true) return undefined
  if (choice === undefined) return { name: environment.contract }
  if (environment.commandFor?.(choice.name, entry) !== undefined) return choice
  throw invalidField('contract', `"${choice.name}" cannot be used with environment "${environment.name}"`)
}

function isInside(path: string): boolean {
  const parts = path.split('/')
  return (
    path.length <= CODE_CHARACTERS_MAX &&
    CODE_CHARACTERS.test(path) &&
    !parts.some(part => part === '' || part === '.' || part === '..')
  )
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most
}
