import { setTimeout as sleep } from 'node:timers/promises'

/** Works for five milliseconds, as if it asked a database. */
export default async () => {
  await sleep(5)
  return 'done'
}
