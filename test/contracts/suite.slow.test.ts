import { existsSync } from 'node:fs'
import { createFissionContract } from '../../src/contracts/fission/contract.ts'
import { createHttpContract } from '../../src/contracts/http/contract.ts'
import { createQinlingContract } from '../../src/contracts/qinling/contract.ts'
import { createStdioContract, createStdioHttpContract } from '../../src/contracts/stdio/contract.ts'
import { systemClock } from '../../src/core/index.ts'
import { contractSuite } from '../suites/contract.ts'

const skip = !existsSync('/usr/bin/bwrap')
  ? 'bubblewrap is not installed'
  : existsSync('/usr/bin/python3')
    ? false
    : 'python3 is not installed'

const asItIs = {
  skip: skip as string | false,
  isBinary: true,
  body: (_: string, body: Uint8Array) => body,
  expected: (_: string, made: Buffer) => made,
}

const http = createHttpContract(systemClock)
contractSuite({
  ...asItIs,
  name: 'http',
  contract: http,
  capabilities: http.capabilities,
  good: { entry: 'http.mjs' },
  stubborn: { entry: 'stubborn.mjs' },
  raw: { entry: 'raw.mjs' },
  isServer: true,
  port: 8080,
})

const fission = createFissionContract(systemClock)
contractSuite({
  ...asItIs,
  name: 'fission',
  contract: fission,
  capabilities: fission.capabilities,
  good: { entry: 'fission.mjs', choice: { functionName: 'fission-function.main' } },
  raw: { entry: 'raw.mjs' },
  isServer: true,
  port: 8888,
})

const stdio = createStdioContract(systemClock)
contractSuite({
  ...asItIs,
  name: 'stdio',
  contract: stdio,
  capabilities: stdio.capabilities,
  good: { entry: 'stdio.mjs' },
  isServer: false,
  exitCodeIsAnswer: true,
})

const stdioHttp = createStdioHttpContract()
contractSuite({
  ...asItIs,
  name: 'stdio-http',
  contract: stdioHttp,
  capabilities: stdioHttp.capabilities,
  good: { entry: 'stdio-http.mjs' },
  isServer: false,
})

const qinling = createQinlingContract(systemClock)
contractSuite({
  ...asItIs,
  name: 'qinling',
  contract: qinling,
  capabilities: qinling.capabilities,
  good: { entry: 'qinling.mjs', choice: { functionName: 'qinling-function.run' } },
  isServer: true,
  port: 9090,
  isBinary: false,
  body: (what, body) => Buffer.from(JSON.stringify({ do: what, body: Buffer.from(body).toString() })),
  expected: (what, made) =>
    Buffer.from(
      JSON.stringify({
        text: made.toString(),
        input: { do: what, body: what === 'echo' ? made.toString() : '' },
      }),
    ),
})
