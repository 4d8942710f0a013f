import { existsSync } from 'node:fs'
import { contractsUnderTest } from '../suites/contract/programs.ts'
import { contractSuite } from '../suites/contract.ts'

const skip = !existsSync('/usr/bin/bwrap')
  ? 'bubblewrap is not installed'
  : existsSync('/usr/bin/python3')
    ? false
    : 'python3 is not installed'

for (const under of contractsUnderTest()) contractSuite({ ...under, skip })
