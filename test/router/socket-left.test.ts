import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import type { AsyncCalls } from '../../src/async/index.ts'
import { FunctionTable } from '../../src/core/index.ts'
import type { IdentityProvider } from '../../src/identity/index.ts'
import type { InvokeSink } from '../../src/invoker/index.ts'
import type { FrontHandler } from '../../src/router/front.ts'
import { createRouter } from '../../src/router/index.ts'
import { FakeClock } from '../support/clock.ts'
import { aFunction, aVersion } from '../support/fleet.ts'

test('a WebSocket that is accepted and closed as its client leaves ends by itself', () => {
  const table = new FunctionTable()
  const value = aFunction([aVersion()])
  table.publish([{ kind: 'function', id: value.id, value }])
  let handler: FrontHandler | undefined
  let sink: InvokeSink | undefined
  let cancelled = 0
  const router = createRouter({
    table,
    clock: new FakeClock(),
    invoker: {
      invoke(_request, to) {
        sink = to
        return {
          id: 'i',
          version: 1,
          write: () => true,
          writeMessage: () => true,
          end() {},
          consumed() {},
          cancel: () => void cancelled++,
        }
      },
    },
    async: {} as Pick<AsyncCalls, 'accept'>,
    asyncUrl: id => id,
    identity: {} as Pick<IdentityProvider, 'authenticate' | 'cached'>,
    log: { warn() {}, error() {} },
    front(options) {
      handler = options.handler
      return {
        listen: async (port, host) => ({ port, host }),
        listener: createServer(),
        drain: async () => {},
        close: async () => {},
        connectionsOpen: 0,
      }
    },
  })
  const socket = new PassThrough()
  handler!.onUpgrade({
    method: 'GET',
    target: `/${value.projectName}/${value.appName}/${value.name}`,
    rawHeaders: [
      'Host',
      'example.org',
      'Sec-WebSocket-Version',
      '13',
      'Sec-WebSocket-Key',
      'AAAAAAAAAAAAAAAAAAAAAA==',
    ],
    remoteAddress: '127.0.0.1',
    scheme: 'http',
    socket,
    rest: Buffer.alloc(0),
  })
  assert.ok(sink, 'the function was asked')
  socket.destroy() // its 'close' comes later in the turn
  sink.onHead(101, [])
  sink.onEnd()
  assert.equal(router.counters.webSocketsOpen, 0)
  assert.equal(router.counters.aborted, 1)
  assert.equal(cancelled, 1)
})
