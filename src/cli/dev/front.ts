import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { CallHandle } from '../../contracts/index.ts'
import { AtelierError, asAtelierError, HOP_BY_HOP, newId, nodeHttp } from '../../core/index.ts'
import { Gate } from './gate.ts'
import type { DevRunner, Running } from './runner.ts'

export interface FrontEvents {
  onAnswer(method: string, path: string, status: number, tookMs: number): void
  /** The code failed; its stack is in what it printed. */
  onFailure(message: string): void
}

/** The HTTP side of `atelier dev`: each request goes to the function with its whole path. */
export function createFront(
  runner: DevRunner,
  events: FrontEvents,
  options: { readonly timeouts: boolean },
): Server {
  const gate = new Gate()
  const server = nodeHttp().createServer((request, response) => {
    const startedMs = performance.now()
    response.once('close', () =>
      events.onAnswer(
        request.method!,
        request.url!,
        response.headersSent ? response.statusCode : 499,
        performance.now() - startedMs,
      ),
    )
    answer(runner, gate, request, response, events, options.timeouts).catch((thrown: unknown) =>
      refuse(response, asAtelierError(thrown)),
    )
  })
  server.on('upgrade', (_, socket) => socket.end('HTTP/1.1 501 Not Implemented\r\nconnection: close\r\n\r\n')) // WebSockets need the real router
  return server
}

async function answer(
  runner: DevRunner,
  gate: Gate,
  request: IncomingMessage,
  response: ServerResponse,
  events: FrontEvents,
  timeouts: boolean,
): Promise<void> {
  const running = await runner.running().catch((failure: Error) => {
    throw new AtelierError('FUNCTION_LOAD_FAILED', failure.message, { cause: failure })
  })
  await gate.enter(running.project.limits.concurrency)
  try {
    await call(runner, running, request, response, events, timeouts)
  } finally {
    gate.leave()
  }
}

/** One call from its head to its end. Resolves when the code is done with it. */
function call(
  runner: DevRunner,
  { instance, project }: Running,
  request: IncomingMessage,
  response: ServerResponse,
  events: FrontEvents,
  timeouts: boolean,
): Promise<void> {
  return new Promise(resolve => {
    const { timeoutMs } = project.limits
    const id = newId(Date.now())
    const hasBody =
      request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined
    const done = (): void => {
      clearTimeout(timer)
      resolve()
    }
    const timer = timeouts
      ? setTimeout(() => {
          refuse(
            response,
            new AtelierError('FUNCTION_TIMEOUT', `The function did not answer within ${timeoutMs} ms.`),
          )
          runner.discard(instance) // as on the server: code that does not come back is stopped
          done()
        }, timeoutMs)
      : undefined
    const head = {
      id,
      method: request.method!,
      target: request.url!,
      headers: headersOf(request),
      deadline: Date.now() + (timeouts ? timeoutMs : 86_400_000),
      body: hasBody ? undefined : null,
    }
    const handle: CallHandle = instance.link.invoke(head, {
      onHead(status, headers) {
        response.writeHead(status, [...withoutHopByHop(headers), 'atelier-invocation-id', id])
        response.flushHeaders()
      },
      onData(chunk) {
        if (response.write(chunk)) handle.consumed(chunk.length)
        else response.once('drain', () => handle.consumed(chunk.length))
      },
      onDrain: () => request.resume(),
      onEnd() {
        response.end()
        done()
      },
      onFail(failure) {
        events.onFailure(failure.message)
        const code = failure.kind === 'error' ? 'FUNCTION_FAILED' : 'FUNCTION_CRASHED'
        refuse(response, new AtelierError(code, failure.message))
        done()
      },
    })
    response.once('close', () => {
      if (!response.writableFinished) handle.cancel('client')
    })
    if (!hasBody) return
    request.on('data', (chunk: Buffer) => {
      if (!handle.write(chunk)) request.pause()
    })
    request.on('end', () => handle.end())
  })
}

/** Before the head: the error as a problem document, with the code's own message, since this is its author. After it: breaks off. */
function refuse(response: ServerResponse, error: AtelierError): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const body = JSON.stringify({ title: error.title, status: error.status, detail: error.message })
  response.writeHead(error.status, { 'content-type': 'application/problem+json' }).end(body)
}

function headersOf(request: IncomingMessage): string[] {
  const { rawHeaders } = request
  const headers: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2)
    headers.push(rawHeaders[i]!.toLowerCase(), rawHeaders[i + 1]!)
  return withoutHopByHop(headers)
}

function withoutHopByHop(headers: readonly string[]): string[] {
  return headers.filter((_, i) => !HOP_BY_HOP.includes(headers[i - (i % 2)]!))
}
