import { openLocalBackend } from '../../src/backends/index.ts'
import { systemClock } from '../../src/core/index.ts'
import { inside, SHELL } from './inside.ts'

// Starts two sandboxes with stubborn children, says who they are, and waits to be killed.
const paths = JSON.parse(process.argv[2] ?? '') as { runPath: string; bundlesPath: string }
const backend = await openLocalBackend({ ...paths, isolation: 'auto', clock: systemClock })
const pids: (number | undefined)[] = []
for (const id of ['a', 'b']) {
  const sandbox = await backend.start({ id, launch: SHELL }, new AbortController().signal)
  await inside(sandbox, 'trap "" HUP TERM; (setsid setsid sleep 1000 &)')
  pids.push(sandbox.pid)
}
process.stdout.write(`${JSON.stringify(pids)}\n`)
setInterval(() => {}, 1000)
