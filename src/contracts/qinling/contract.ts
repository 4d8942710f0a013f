import type { Server } from 'node:net'
import { AtelierError, type Clock } from '../../core/index.ts'
import type { Contract, StartSpec } from '../contract.ts'
import { ask } from '../http1/ask.ts'
import { HttpLink, type HttpServerAccess } from '../http1/link.ts'
import { notListening, START_MS_DEFAULT } from '../http1/server.ts'
import { codePath, functionName, functionUid, needOwnFiles, needStart, processEnv } from '../process-env.ts'
import { QINLING_CAPABILITIES } from './capabilities.ts'
import { QinlingLink } from './link.ts'
import { serveSidecar } from './sidecar.ts'

const PORT = 9090
const SIDECAR_PORT = 9091
const PACKAGES = '/var/qinling/packages'
const PING_PAUSE_MS = 50

/** Runtimes of Qinling: a server that executes functions from a folder, and asks its sidecar for what is in there. */
export function createQinlingContract(clock: Clock): Contract {
  return {
    name: 'qinling',
    capabilities: QINLING_CAPABILITIES,
    prepare(start) {
      const spec = needStart(start)
      needOwnFiles(spec)
      const port = spec.choice.port ?? PORT
      const startMs = spec.choice.startMs ?? START_MS_DEFAULT
      const uid = functionUid(spec)
      let sidecar: { close(): void } | undefined
      return {
        process: {
          env: { ...processEnv(spec), PORT: String(port) },
          links: [{ path: `${PACKAGES}/${uid}`, target: codePath(spec) }],
          beforeStart: async inside => {
            const listener: Server = await inside.listen({ port: SIDECAR_PORT })
            sidecar = serveSidecar(listener)
          },
        },
        discard: () => sidecar?.close(),
        open: (access, events) => {
          void access.exited.then(() => sidecar?.close())
          const server = new HttpLink(access, events, clock, {
            place: { port },
            startMs,
            notListening: notListening(spec, port, startMs),
            load: each => untilPong(each, spec, clock),
            request: head => ({ method: head.method, target: head.target, extra: [] }),
          })
          const { app, name, version } = spec.function
          const url = `http://127.0.0.1:${SIDECAR_PORT}/v1/functions/${app}-${name}/versions/${version}?download=true`
          return new QinlingLink(server, events, spec, url)
        },
      }
    },
  }
}

async function untilPong(server: HttpServerAccess, spec: StartSpec, clock: Clock): Promise<void> {
  const until = clock.monotonic() + server.startMs
  while (!server.isClosed && clock.monotonic() < until) {
    const socket = await server.connect()
    const answer =
      socket &&
      (await ask(socket, { method: 'GET', path: '/ping', timeoutMs: until - clock.monotonic() }, clock))
    if (answer?.status === 200) return
    await new Promise<void>(resolve => clock.after(PING_PAUSE_MS, resolve))
  }
  throw new AtelierError(
    'FUNCTION_LOAD_FAILED',
    `Function "${functionName(spec)}" is not ready: its runtime answers no GET /ping with 200 (contract: startMs).`,
  )
}
