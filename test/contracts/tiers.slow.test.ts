/** Contracts by process in the other sandboxes of the local backend: gVisor, and `unshare` where there is no bubblewrap. */
import { existsSync } from 'node:fs'
import { after, before, describe } from 'node:test'
import { localPlace } from '../suites/contract/bench.ts'
import { contractsUnderTest } from '../suites/contract/programs.ts'
import { contractSuite } from '../suites/contract.ts'
import { watchOwnLeaks } from '../support/leaks.ts'

const TIERS = [
  { name: 'gVisor', options: { tier: 'gvisor' }, needs: ['runsc', 'bwrap', 'ip', 'python3'] },
  { name: 'unshare', options: { isolation: 'unshare' }, needs: ['unshare', 'setpriv', 'python3'] },
] as const

let nothingLeft: () => Promise<void>
before(async () => {
  nothingLeft = await watchOwnLeaks()
})
after(() => nothingLeft())

for (const { name, options, needs } of TIERS) {
  const missing = needs.find(each => !existsSync(`/usr/bin/${each}`) && !existsSync(`/usr/sbin/${each}`))
  describe(`contracts in ${name}`, { skip: missing !== undefined && `${missing} is not installed` }, () => {
    // Answers that break the contract are read outside of any sandbox: one suite of them is enough.
    for (const { raw: _, ...under } of contractsUnderTest())
      contractSuite({ ...under, place: () => localPlace(options) })
  })
}
