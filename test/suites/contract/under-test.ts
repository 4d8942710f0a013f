import type { Backend, Grant, Launch } from '../../../src/backends/index.ts'
import type { Contract, ContractCapabilities } from '../../../src/contracts/index.ts'
import type { ContractChoice } from '../../../src/core/index.ts'

/** A program of `test/fixtures/contracts`, and how it is deployed. */
export interface Program {
  readonly entry: string
  readonly choice?: Omit<ContractChoice, 'name'>
}

/** Where programs run: the local backend, unless a test brings another. */
export interface Place {
  readonly backend: Backend
  readonly grant: Grant
  /** How a program of `test/fixtures/contracts` is started there, for this contract. */
  launch(contract: string, entry: string): Promise<Launch>
  close(): Promise<void>
}

/** One contract, with programs that speak it. */
export interface ContractUnderTest {
  readonly name: string
  readonly contract: Contract
  readonly capabilities: ContractCapabilities
  readonly skip?: string | false
  /** @default the local backend's */
  readonly place?: () => Promise<Place>
  /** Behaves as it is told. */
  readonly good: Program
  /** Takes no notice of SIGTERM. */
  readonly stubborn?: Program
  /** Answers with the bytes it is told; only where answers are HTTP that the caller sees. */
  readonly raw?: Program
  /** Whether it has to come up before it can be called. */
  readonly isServer: boolean
  /** What is said of one that never does, when it had 300 ms. */
  readonly silence?: RegExp
  /** Whether bodies are any bytes; else they are text. */
  readonly isBinary: boolean
  readonly exitCodeIsAnswer?: boolean
  /** The body of a call that tells the program what to do. */
  body(what: string, body: Uint8Array): Uint8Array
  /** The whole answer to `what`, when the program made `made`. */
  expected(what: string, made: Buffer): Buffer
}
