import { describe } from 'node:test'
import type { CreateFront } from '../../src/router/front.ts'
import { bodyCases } from './front/bodies.ts'
import { connectionCases } from './front/connections.ts'
import { framingCases } from './front/framing.ts'
import { malformedCases } from './front/malformed.ts'
import { streamingCases } from './front/streaming.ts'
import { webSocketCases } from './front/websockets.ts'

/** What every HTTP front must do, driven from outside through its socket. */
export function frontSuite(name: string, front: CreateFront): void {
  describe(`front: ${name}`, { timeout: 60_000 }, () => {
    malformedCases(front)
    framingCases(front)
    bodyCases(front)
    streamingCases(front)
    connectionCases(front)
    webSocketCases(front)
  })
}
