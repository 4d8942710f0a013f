import type { Socket } from 'node:net'
import { AtelierError, type Clock } from '../../core/index.ts'
import type { CallHead, Contract, StartSpec } from '../contract.ts'
import { ask } from '../http1/ask.ts'
import { HttpLink, type HttpServerAccess } from '../http1/link.ts'
import { functionName, processEnv } from '../process-env.ts'
import { HTTP_CAPABILITIES } from './capabilities.ts'

const PORT_DEFAULT = 8080
const START_MS_DEFAULT = 20_000
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
            request: head => ({ method: head.method, target: head.target, extra: callFields(head) }),
            ...(readyPath !== undefined && {
              load: server => untilReady(server, clock, readyPath, functionName(spec)),
            }),
          }),
      }
    },
  }
}

/** What servers are told about a call. */
export function callFields({ id, deadline }: CallHead): string[] {
  return ['atelier-invocation-id', id, 'atelier-deadline', String(deadline), 'x-call-id', id]
}

export function needStart(start: StartSpec | undefined): StartSpec {
  if (start === undefined) throw new Error('such a process is started for one version')
  return start
}

export function portOf({ choice, port }: StartSpec, byDefault: number): number {
  return choice.port ?? port ?? byDefault
}

export function notListening(spec: StartSpec, port: number, startMs: number): string {
  return `Function "${functionName(spec)}" does not listen on port ${port} after ${startMs} ms: let it listen on the port that the environment variable PORT names, or deploy it with the port that it uses (contract: port), or with more time (contract: startMs).`
}

async function untilReady(server: HttpServerAccess, clock: Clock, path: string, name: string): Promise<void> {
  const until = clock.monotonic() + server.startMs
  let last = 'nothing'
  while (!server.isClosed && clock.monotonic() < until) {
    const socket: Socket | undefined = await server.connect()
    if (socket !== undefined) {
      const answer = await ask(socket, { method: 'GET', path, timeoutMs: until - clock.monotonic() }, clock)
      if (answer !== undefined && answer.status < 400) return
      last = answer === undefined ? 'nothing' : `status ${answer.status}`
    }
    await new Promise<void>(resolve => clock.after(READY_PAUSE_MS, resolve))
  }
  throw new AtelierError(
    'FUNCTION_LOAD_FAILED',
    `Function "${name}" is not ready after ${Math.round(server.startMs)} ms: ${path} answers ${last} (contract: readyPath, startMs).`,
  )
}
