import { type Clock, systemClock } from '../../core/index.ts'
import type { Contract } from '../contract.ts'
import { FramesLink } from './link.ts'

/** The native contract (docs/frames.md), with its own clock for tests. */
export function createFramesContract(clock: Clock): Contract {
  return {
    name: 'frames',
    capabilities: { streaming: true, concurrency: true, webSocket: true, lateLoad: true },
    open: (channel, events) => new FramesLink(channel, events, clock),
  }
}

export const framesContract: Contract = createFramesContract(systemClock)
