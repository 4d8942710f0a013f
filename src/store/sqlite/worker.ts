/** The thread that runs the statements of a store which must not wait for the disk where calls are carried. */
import { parentPort, workerData } from 'node:worker_threads'
import type { ConnectionSettings } from './connect.ts'
import { Connections, type Done, type Job, problemOf } from './connections.ts'
import { Parcel } from './parcel.ts'

function serve(port: NonNullable<typeof parentPort>, settings: ConnectionSettings): void {
  try {
    const work = new Connections(settings)
    port.on('message', (jobs: readonly Job[]) => {
      const parcel = new Parcel()
      const answers: Done[] = []
      let isLast = false
      for (const job of jobs) {
        if (job.kind === 'close') isLast = true
        else answers.push(work.run(job, parcel))
      }
      if (isLast) {
        work.close()
        answers.push({})
      }
      port.postMessage(answers, parcel.transfer)
      if (isLast) port.close()
    })
    port.postMessage([{}])
  } catch (thrown) {
    port.postMessage([{ problem: problemOf(thrown) }])
    port.close()
  }
}

const port = parentPort
if (port) serve(port, workerData as ConnectionSettings)
