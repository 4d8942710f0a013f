import type { Contract, ContractCapabilities } from '../../../src/contracts/index.ts'
import type { ContractChoice } from '../../../src/core/index.ts'

/** A program of `test/fixtures/contracts`, and how it is deployed. */
export interface Program {
  readonly entry: string
  readonly choice?: Omit<ContractChoice, 'name'>
}

/** One contract, with programs that speak it. */
export interface ContractUnderTest {
  readonly name: string
  readonly contract: Contract
  readonly capabilities: ContractCapabilities
  readonly skip?: string | false
  /** Behaves as it is told. */
  readonly good: Program
  /** Takes no notice of SIGTERM. */
  readonly stubborn?: Program
  /** Answers with the bytes it is told; only where answers are HTTP that the caller sees. */
  readonly raw?: Program
  /** Whether it is a server that listens, on which port. */
  readonly isServer: boolean
  readonly port?: number
  /** Whether bodies are any bytes; else they are text. */
  readonly isBinary: boolean
  readonly exitCodeIsAnswer?: boolean
  /** The body of a call that tells the program what to do. */
  body(what: string, body: Uint8Array): Uint8Array
  /** The whole answer to `what`, when the program made `made`. */
  expected(what: string, made: Buffer): Buffer
}
