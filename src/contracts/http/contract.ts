import type { Socket } from 'node:net'
import { AtelierError, type Clock } from '../../core/index.ts'
import type { Contract } from '../contract.ts'
import { ask } from '../http1/ask.ts'
import { HttpLink, type HttpServerAccess } from '../http1/link.ts'
import { callFields, notListening, portOf, START_MS_DEFAULT } from '../http1/server.ts'
import { functionName, needStart, processEnv } from '../process-env.ts'
import { HTTP_CAPABILITIES } from './capabilities.ts'

const PORT_DEFAULT = 8080
const READY_PAUSE_MS = 50

/** Any server that listens on $PORT: as Knative, Cloud Run and OpenFaaS run them. */
export function createHttpContract(clock: Clock): Contract {
  return {
    name: 'http',
    capabilities: HTTP_CAPABILITIES,
    prepare(start) {
      const spec = needStart(start)
      const port = portOf(spec, PORT_DEFAULT)
      const startMs = spec.choice.startMs ?? START_MS_DEFAULT
      const { readyPath } = spec.choice
      return {
        process: { env: { ...processEnv(spec), PORT: String(port) } },
        open: (access, events) =>
          new HttpLink(access, events, clock, {
            place: { port },
            startMs,
            notListening: notListening(spec, port, startMs),
            webSocket: true,
            request: head => ({ method: head.method, target: head.target, extra: callFields(head) }),
            ...(readyPath !== undefined && {
              load: server => untilReady(server, clock, readyPath, functionName(spec)),
            }),
          }),
      }
    },
  }
}

async function untilReady(server: HttpServerAccess, clock: Clock, path: string, name: string): Promise<void> {
  const until = clock.monotonic() + server.startMs
  let last = 'nothing'
  while (!server.isClosed && clock.monotonic() < until) {
    const socket: Socket | undefined = await server.connect()
    if (socket !== undefined) {
      const answer = await ask(socket, { method: 'GET', path, timeoutMs: until - clock.monotonic() }, clock)
      if (answer !== undefined && answer.status < 400) return
      // The last question may be cut off by the end of the time: what it answered before tells more than that.
      if (answer !== undefined) last = `status ${answer.status}`
    }
    await new Promise<void>(resolve => clock.after(READY_PAUSE_MS, resolve))
  }
  throw new AtelierError(
    'FUNCTION_LOAD_FAILED',
    `Function "${name}" is not ready after ${Math.round(server.startMs)} ms: ${path} answers ${last} (contract: readyPath, startMs).`,
  )
}
