import { once } from 'node:events'
import { openLocalBackend } from '../../src/backends/index.ts'
import { systemClock } from '../../src/core/index.ts'
import { inside, SHELL } from './inside.ts'

// Starts two sandboxes, one with stubborn children, says who they are when their commands run, and waits to be killed.
const paths = JSON.parse(process.argv[2] ?? '') as {
  runPath: string
  bundlesPath: string
  isolation: 'auto' | 'unshare'
}
const backend = await openLocalBackend({ ...paths, clock: systemClock })
const stubborn = await backend.start({ id: 'a', launch: SHELL }, new AbortController().signal)
await inside(stubborn, 'trap "" HUP TERM; (setsid setsid sleep 1000 &)')
// It does not even notice that nobody talks to it.
const deaf = await backend.start(
  { id: 'b', launch: { ...SHELL, command: ['/bin/sh', '-c', 'echo >&3; exec sleep 1000'] } },
  new AbortController().signal,
)
await once(deaf.channel, 'data')
process.stdout.write(`${JSON.stringify([stubborn.pid, deaf.pid])}\n`)
setInterval(() => {}, 1000)
