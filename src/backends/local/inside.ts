import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Inside, Place } from '../backend.ts'
import type { Broker, Entrance } from './broker.ts'
import { backendFailed } from './commands.ts'

const PAUSE_MS_MIN = 2
const PAUSE_MS_MAX = 20
const CONNECT_MS_MAX = 2_000
const NOBODY = new Set(['ECONNREFUSED', 'ENOENT'])

/** Ways into a process that has no namespaces of its own. `pathOf`: where on the host a path inside is. */
export function openInside(pathOf: (path: string) => string): Inside {
  const host = (place: Place) =>
    'path' in place ? { path: pathOf(place.path) } : { port: place.port, host: '127.0.0.1' }
  return {
    async connect(to, patienceMs = 0) {
      const until = performance.now() + patienceMs
      for (let pauseMs = PAUSE_MS_MIN; ; pauseMs = Math.min(PAUSE_MS_MAX, pauseMs * 1.5)) {
        const socket = await connectOnce(host(to))
        if (socket !== undefined || performance.now() + pauseMs > until) return socket
        await sleep(pauseMs)
      }
    },
    listen: at =>
      new Promise<Server>((resolve, reject) => {
        const server = createServer()
        server.once('error', error => reject(backendFailed('nobody can listen in it', error)))
        server.listen(host(at), () => resolve(server))
      }),
  }
}

/**
 * Ways into the namespaces of a process. `complete` resolves when its file system is put together: before that, paths in it
 * may be paths of the host.
 */
export function enterInside(
  broker: Broker | undefined,
  entrance: Entrance | undefined,
  complete: () => Promise<void>,
): Inside {
  let isComplete = false
  const known = async (place: Place): Promise<[Broker, Entrance]> => {
    if (broker === undefined)
      throw backendFailed('sockets cannot be made in it (see the notes of atelier status)')
    if (entrance === undefined) throw backendFailed('it has ended, or is of a kind that nobody enters')
    if ('path' in place && !isComplete) {
      await complete()
      isComplete = true
    }
    return [broker, entrance]
  }
  return {
    async connect(to, patienceMs = 0) {
      const [by, into] = await known(to)
      return by.connect(into, to, patienceMs)
    },
    async listen(at) {
      const [by, into] = await known(at)
      return by.listen(into, at)
    },
  }
}

function connectOnce(to: { path: string } | { port: number; host: string }): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...to, noDelay: true, timeout: CONNECT_MS_MAX })
    const failed = (error: NodeJS.ErrnoException) => {
      if (NOBODY.has(error.code ?? '')) resolve(undefined)
      else reject(backendFailed('no socket could be made in it', error))
    }
    socket.once('error', failed)
    socket.once('timeout', () => socket.destroy(new Error('it did not take the connection')))
    socket.once('connect', () => {
      socket.setTimeout(0)
      socket.off('error', failed)
      socket.on('error', () => {}) // a peer that resets is not news; 'close' follows
      resolve(socket)
    })
  })
}
