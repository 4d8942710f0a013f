import { pythonEnvironment } from '../../../../src/environments/index.ts'
import { qinlingClientMissing } from '../../qinling-client.ts'
import type { Script } from '../../step.ts'
import { stepsByHand } from './by-hand.ts'
import { callSteps } from './calls.ts'
import { functionSteps } from './functions.ts'
import { goingSteps } from './goes.ts'
import { runSteps } from './runs.ts'
import { Work } from './work.ts'
import { workerSteps } from './workers.ts'

const python = await pythonEnvironment.probe()

/** `openstack function …` and its like: Debian's client of Qinling, unmodified. */
export function qinlingScript(): Script {
  const work = new Work()
  const parts = [functionSteps, runSteps, workerSteps, callSteps, stepsByHand, goingSteps]
  return {
    dialect: 'qinling',
    client: 'openstack function',
    skip: qinlingClientMissing() || (python.ready ? false : python.reason),
    steps: parts.flatMap(part => part(work)),
  }
}
