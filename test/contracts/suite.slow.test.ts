import { existsSync } from 'node:fs'
import { after, before } from 'node:test'
import { contractsUnderTest } from '../suites/contract/programs.ts'
import { contractSuite } from '../suites/contract.ts'
import { watchOwnLeaks } from '../support/leaks.ts'

const skip = !existsSync('/usr/bin/bwrap')
  ? 'bubblewrap is not installed'
  : existsSync('/usr/bin/python3')
    ? false
    : 'python3 is not installed'

let nothingLeft: () => Promise<void>
before(async () => {
  nothingLeft = await watchOwnLeaks()
})
after(() => nothingLeft())

for (const under of contractsUnderTest()) contractSuite({ ...under, skip })
