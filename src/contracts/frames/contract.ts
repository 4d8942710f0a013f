import type { Duplex } from 'node:stream'
import { type Clock, systemClock } from '../../core/index.ts'
import type { Contract, Link, LinkEvents } from '../contract.ts'
import { FramesLink } from './link.ts'

/** The native contract, which needs a channel alone. */
export interface FramesContract extends Contract {
  prepare(): { open(access: { readonly channel: Duplex }, events: LinkEvents): Link }
}

/** The native contract (docs/frames.md), with its own clock for tests. */
export function createFramesContract(clock: Clock): FramesContract {
  const preparation = {
    open: ({ channel }: { readonly channel: Duplex }, events: LinkEvents) =>
      new FramesLink(channel, events, clock),
  }
  return {
    name: 'frames',
    capabilities: { streaming: true, concurrency: true, webSocket: true, lateLoad: true },
    prepare: () => preparation,
  }
}

/** The native contract on the system clock. */
export const framesContract: FramesContract = createFramesContract(systemClock)
