// Stands in for lingxiankong/sleep: takes as many seconds as its input says.
import { readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'

const seconds = Number(readFileSync(0, 'utf8').trim() || 0)
if (!(seconds >= 0 && seconds <= 86_400)) {
  console.error('the input is the number of seconds to sleep')
  process.exit(1)
}
await setTimeout(seconds * 1_000)
