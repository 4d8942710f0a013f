import { AtelierError, type Clock } from '../../core/index.ts'
import type { CallHead, Contract, LinkEvents, StartSpec } from '../contract.ts'
import { type Asked, ask } from '../http1/ask.ts'
import { HttpLink, type HttpServerAccess } from '../http1/link.ts'
import { notListening, START_MS_DEFAULT } from '../http1/server.ts'
import { codePath, functionName, functionUid, needOwnFiles, needStart, processEnv } from '../process-env.ts'
import { FISSION_CAPABILITIES } from './capabilities.ts'

const PORT = 8888
/** Where Fission's fetcher puts the one file of version 1, and what version 2 is told of. */
const FILE = '/userfunc/user'
const ARCHIVE = '/userfunc/deployarchive'

/** Environments of Fission: a generic server that is told once which function it is, and serves that from then on. */
export function createFissionContract(clock: Clock): Contract {
  return {
    name: 'fission',
    capabilities: FISSION_CAPABILITIES,
    prepare(start) {
      const spec = needStart(start)
      needOwnFiles(spec)
      const port = spec.choice.port ?? PORT
      const startMs = spec.choice.startMs ?? START_MS_DEFAULT
      const target = codePath(spec)
      const said = headersOf(spec)
      return {
        process: {
          env: { ...processEnv(spec), RUNTIME_PORT: String(port), PORT: String(port) },
          links: [
            { path: FILE, target },
            { path: ARCHIVE, target },
          ],
        },
        open: (access, events) =>
          new HttpLink(access, events, clock, {
            place: { port },
            startMs,
            notListening: notListening(spec, port, startMs),
            load: server => specialise(server, spec, events, clock),
            request: head => requestOf(head, said),
          }),
      }
    },
  }
}

/** A function is always called at `/`; what was asked for stands in a header. */
function requestOf(
  head: CallHead,
  said: readonly string[],
): {
  method: string
  target: string
  extra: readonly string[]
} {
  const query = head.target.indexOf('?')
  return {
    method: head.method,
    target: query < 0 ? '/' : `/${head.target.slice(query)}`,
    extra: [
      ...said,
      'x-fission-full-url',
      head.target,
      'x-fission-request-id',
      head.id,
      'atelier-invocation-id',
      head.id,
    ],
  }
}

function headersOf(spec: StartSpec): string[] {
  const { app, name, version } = spec.function
  return [
    'x-fission-function-uid',
    functionUid(spec),
    'x-fission-function-name',
    name,
    'x-fission-function-namespace',
    app,
    'x-fission-function-resourceversion',
    String(version),
  ]
}

async function specialise(
  server: HttpServerAccess,
  spec: StartSpec,
  events: LinkEvents,
  clock: Clock,
): Promise<void> {
  const socket = await server.connect()
  const answer = socket && (await ask(socket, { ...loadCall(spec), timeoutMs: server.startMs }, clock))
  if (answer !== undefined && answer.status < 300) return
  // Its words are the code's own: for its owner, and not for whoever calls.
  if (answer !== undefined && answer.text !== '') events.onLog(0, 'stderr', `${answer.text}\n`)
  throw new AtelierError(
    'FUNCTION_LOAD_FAILED',
    answer === undefined
      ? `Function "${functionName(spec)}" was not loaded: its environment gave no answer to "specialize".`
      : `Function "${functionName(spec)}" was not loaded: its environment answered "specialize" with status ${answer.status}; the function's log tells more.`,
  )
}

function loadCall(spec: StartSpec): Omit<Asked, 'timeoutMs'> {
  if (spec.choice.interfaceVersion === 1)
    return { method: 'POST', path: '/specialize', contentType: 'text/plain', body: '' }
  const { app, name, version } = spec.function
  return {
    method: 'POST',
    path: '/v2/specialize',
    contentType: 'application/json',
    body: JSON.stringify({
      filepath: ARCHIVE,
      functionName: spec.choice.functionName ?? '',
      url: '',
      FunctionMetadata: {
        name,
        namespace: app,
        uid: functionUid(spec),
        resourceVersion: String(version),
        creationTimestamp: null,
      },
      envVersion: 2,
    }),
  }
}
