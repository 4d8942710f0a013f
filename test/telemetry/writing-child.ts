/** A process of its own that remembers calls until it is ended: `writing-child.ts <folder> <project>`. Says what is written. */
import { systemClock } from '../../src/core/index.ts'
import { createTelemetry } from '../../src/telemetry/index.ts'
import { anInvocation } from './records.ts'

const [path, projectId] = process.argv.slice(2) as [string, string]
const telemetry = createTelemetry({
  path,
  clock: systemClock,
  onProblem: message => console.log(JSON.stringify({ problem: message })),
})
for (let lost = 0; lost < 5; ) {
  const before = telemetry.counts().recordsDropped
  const records = Array.from({ length: 200 }, () => anInvocation({ projectId }))
  for (const record of records) telemetry.onInvocation(record)
  while (telemetry.counts().waiting > 0) await new Promise(resolve => setTimeout(resolve, 5))
  if (telemetry.counts().recordsDropped > before) lost++
  else console.log(JSON.stringify({ written: records.map(({ id }) => id) }))
}
// Only a process whose disk is full comes here: what is written can still be read, and others can still write.
const other = anInvocation({ projectId: 'other' })
telemetry.onInvocation(other)
const known = await telemetry.getInvocation('other', other.id)
console.log(
  JSON.stringify({
    other: known.id,
    listed: (await telemetry.listInvocations(projectId, {}, {})).items.length,
  }),
)
await telemetry.close()
