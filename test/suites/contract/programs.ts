import { createFissionContract } from '../../../src/contracts/fission/contract.ts'
import { createFnContract } from '../../../src/contracts/fn/contract.ts'
import { createHttpContract } from '../../../src/contracts/http/contract.ts'
import type { Contract } from '../../../src/contracts/index.ts'
import { createLambdaContract } from '../../../src/contracts/lambda/contract.ts'
import { createQinlingContract } from '../../../src/contracts/qinling/contract.ts'
import { createStdioContract, createStdioHttpContract } from '../../../src/contracts/stdio/contract.ts'
import { systemClock } from '../../../src/core/index.ts'
import type { ContractUnderTest } from './under-test.ts'

/** Each contract of a tenant's own process, with the programs of `test/fixtures/contracts` that speak it. */
export function contractsUnderTest(): readonly ContractUnderTest[] {
  return [
    of(createHttpContract(systemClock), {
      good: { entry: 'http.mjs' },
      stubborn: { entry: 'stubborn.mjs' },
      raw: { entry: 'raw.mjs' },
      isServer: true,
      silence: deafOn(8080),
    }),
    of(createFissionContract(systemClock), {
      good: { entry: 'fission.mjs', choice: { functionName: 'fission-function.main' } },
      raw: { entry: 'raw.mjs' },
      isServer: true,
      silence: deafOn(8888),
    }),
    of(createStdioContract(systemClock), {
      good: { entry: 'stdio.mjs' },
      isServer: false,
      exitCodeIsAnswer: true,
    }),
    of(createStdioHttpContract(), { good: { entry: 'stdio-http.mjs' }, isServer: false }),
    of(createQinlingContract(systemClock), {
      good: { entry: 'qinling.mjs', choice: { functionName: 'qinling-function.run' } },
      isServer: true,
      silence: deafOn(9090),
      isBinary: false,
      body: (what, body) => json({ do: what, body: Buffer.from(body).toString() }),
      expected(what, made) {
        const text = made.toString()
        return json({ text, input: { do: what, body: what === 'echo' ? text : '' } })
      },
    }),
    of(createLambdaContract(systemClock), {
      good: { entry: 'bootstrap.mjs' },
      isServer: true,
      silence: /"a\/f" did not ask for its first call within 300 ms.*AWS_LAMBDA_RUNTIME_API/,
    }),
    of(createFnContract(systemClock), {
      good: { entry: 'fn.mjs' },
      isServer: true,
      silence: /"a\/f" does not listen on \/tmp\/iofs\/lsnr\.sock after 300 ms/,
    }),
  ]
}

type Particulars = Pick<ContractUnderTest, 'good' | 'isServer'> & Partial<ContractUnderTest>

function of(contract: Contract, particulars: Particulars): ContractUnderTest {
  const { name, capabilities } = contract
  return {
    name,
    contract,
    capabilities,
    isBinary: true,
    body: (_, body) => body,
    expected: (_, made) => made,
    ...particulars,
  }
}

function deafOn(port: number): RegExp {
  return new RegExp(`"a/f" does not listen on port ${port} after 300 ms.*contract: port`)
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}
