import type { Clock } from '../../core/index.ts'
import type { Contract, StartSpec } from '../contract.ts'
import { HttpLink } from '../http1/link.ts'
import { START_MS_DEFAULT } from '../http1/server.ts'
import { functionName, needStart, processEnv } from '../process-env.ts'
import { FnAnswer } from './answer.ts'
import { FN_CAPABILITIES } from './capabilities.ts'
import { fnRequest } from './request.ts'

/** Where the kits expect it; its folder is the function's own. */
const FOLDER = '/tmp/iofs'
const SOCKET = 'lsnr.sock'

/** Fn's `http-stream`: one call after the other over a socket file that the function's development kit makes. */
export function createFnContract(clock: Clock): Contract {
  return {
    name: 'fn',
    capabilities: FN_CAPABILITIES,
    prepare(start) {
      const spec = needStart(start)
      const startMs = spec.choice.startMs ?? START_MS_DEFAULT
      // Where sandboxes share a machine's ports, they may share its /tmp.
      const folder = spec.port === undefined ? FOLDER : `${FOLDER}-${spec.instance}`
      const path = `${folder}/${SOCKET}`
      return {
        process: { env: fnEnv(spec, path), folder },
        open: (access, events) =>
          new HttpLink(access, events, clock, {
            // Kits make the link to the socket last, when they listen. It is followed inside: a link to elsewhere leads nowhere else.
            place: { path },
            startMs,
            notListening: `Function "${functionName(spec)}" does not listen on ${path} after ${startMs} ms: it needs a development kit of Fn with format http-stream, or more time (contract: startMs).`,
            request: head => fnRequest(head, spec.function),
            answer: (sink, head, drop) => new FnAnswer(sink, head, drop),
          }),
      }
    },
  }
}

function fnEnv(spec: StartSpec, path: string): Record<string, string> {
  const { project, app, name } = spec.function
  return {
    ...processEnv(spec),
    FN_FORMAT: 'http-stream',
    FN_LISTENER: `unix:${path}`,
    FN_MEMORY: String(spec.memoryMiB),
    FN_TYPE: 'sync',
    FN_APP_ID: `${project}.${app}`,
    FN_APP_NAME: app,
    FN_FN_ID: `${project}.${app}.${name}`,
    FN_FN_NAME: name,
  }
}
