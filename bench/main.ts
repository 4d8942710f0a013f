/**
 * `npm run bench [-- row …] [--strict] [--quick] [--no-write] [--broker name …] [--language name …]`: measures the rows, prints each beside its
 * floor, and writes `bench/RESULTS.md` when all rows ran. `--strict` exits 1 when one misses its floor; `--quick` measures
 * less and less well; `--broker` leaves the others out of the row about brokers, `--language` those of the row about languages.
 */
import { writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { BROKERS } from './brokers/list.ts'
import { describe, isMissed, type Outcome, results } from './report.ts'
import type { Bench, Row } from './row.ts'
import { asyncCalls } from './rows/async.ts'
import { brokers } from './rows/brokers.ts'
import { burst } from './rows/burst.ts'
import { cold } from './rows/cold.ts'
import { coldEmpty } from './rows/cold-empty.ts'
import { connections } from './rows/connections.ts'
import { containers } from './rows/containers.ts'
import { contracts } from './rows/contracts.ts'
import { dev } from './rows/dev.ts'
import { httpContract } from './rows/http-contract.ts'
import { LANGUAGES, languages } from './rows/languages.ts'
import { latency } from './rows/latency.ts'
import { many } from './rows/many.ts'
import { privateCalls } from './rows/private-calls.ts'
import { ready } from './rows/ready.ts'
import { restart } from './rows/restart.ts'
import { schedules } from './rows/schedules.ts'
import { soak } from './rows/soak.ts'
import { warm } from './rows/warm.ts'

const ROWS: readonly Row[] = [
  warm,
  httpContract,
  latency,
  privateCalls,
  connections,
  cold,
  coldEmpty,
  containers,
  languages,
  contracts,
  burst,
  many,
  asyncCalls,
  schedules,
  brokers,
  dev,
  ready,
  restart,
  soak,
]

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    strict: { type: 'boolean' },
    quick: { type: 'boolean' },
    'no-write': { type: 'boolean' },
    broker: { type: 'string', multiple: true, default: [] },
    language: { type: 'string', multiple: true, default: [] },
  },
})
refuseUnknown('row', positionals, ROWS)
refuseUnknown('broker', values.broker, BROKERS)
refuseUnknown('language', values.language, LANGUAGES)

const size = values.quick
  ? {
      rounds: 2,
      secondsPerRound: 1,
      firstCalls: 10,
      functionsMany: 500,
      queued: 10_000,
      brokerSeconds: 9,
      soakSeconds: 20,
    }
  : {
      rounds: 5,
      secondsPerRound: 2,
      firstCalls: 30,
      functionsMany: 10_000,
      queued: 100_000,
      brokerSeconds: 60,
      soakSeconds: 120,
    }

/** Of the row that runs: what it has started, the first first. */
const cleanUps: (() => Promise<void> | void)[] = []
let cleaning = Promise.resolve()
let isCutOff = false
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    console.error(`Cut off by ${signal}; ending what was started.`)
    isCutOff = true
    void cleanUp().then(() => process.exit(128 + constants.signals[signal]))
  })

const startedAt = new Date()
const outcomes: Outcome[] = []
for (const row of ROWS) {
  if (positionals.length > 0 && !positionals.includes(row.name)) continue
  const outcome = await runRow(row)
  if (isCutOff) break // what ends the process is under way
  outcomes.push(outcome)
  console.log(`${describe(outcome)}\n`)
}
if (
  !isCutOff &&
  !values['no-write'] &&
  !values.quick &&
  positionals.length === 0 &&
  values.broker.length === 0 &&
  values.language.length === 0
)
  writeFileSync(join(import.meta.dirname, 'RESULTS.md'), results(outcomes, startedAt))
if (values.strict && outcomes.some(isMissed)) process.exitCode = 1

async function runRow(row: Row): Promise<Outcome> {
  const bench: Bench = {
    ...size,
    brokers: values.broker,
    languages: values.language,
    say: line => console.log(`  ${row.name}: ${line}`),
    after: each => {
      cleanUps.push(each)
      if (isCutOff) throw new Error('The bench was cut off.') // nothing more is started
    },
  }
  const skipped = row.missing?.()
  if (skipped !== undefined) return { row, measures: [], skipped }
  try {
    return { row, measures: await row.run(bench) }
  } catch (error) {
    return { row, measures: [], failed: error instanceof Error ? error.message : String(error) }
  } finally {
    await cleanUp()
  }
}

/** The last first; one that fails does not keep the others from it. */
function cleanUp(): Promise<void> {
  const clean = async () => {
    for (let each = cleanUps.pop(); each; each = cleanUps.pop())
      try {
        await each()
      } catch (error) {
        console.error(error)
      }
  }
  return (cleaning = cleaning.then(clean))
}

function refuseUnknown(
  what: string,
  asked: readonly string[],
  known: readonly { readonly name: string }[],
): void {
  const unknown = asked.filter(name => !known.some(each => each.name === name))
  if (unknown.length === 0) return
  console.error(
    `There is no ${what} ${unknown.join(', ')}; there are ${known.map(each => each.name).join(', ')}.`,
  )
  process.exit(2)
}
