import { describe } from 'node:test'
import { bodyTests } from './frames/bodies.ts'
import { callTests } from './frames/calls.ts'
import type { Shim } from './frames/driver.ts'
import { lifeTests } from './frames/life.ts'
import { webSocketTests } from './frames/websocket.ts'

export interface ShimUnderTest {
  /** Starts the shim with a stream to it. */
  spawn(): Shim
  /** Folder with the suite's functions in the shim's language. */
  readonly directory: string
  /** The entry that serves every path the suite calls. */
  readonly entry: string
  /** What a language has not: WebSockets; a process that code could end; a standard output that is not the answer. */
  readonly lacks?: readonly ('webSocket' | 'exit' | 'stdout')[]
  /** Entries that cannot be loaded: what of the error's message the author must be told. */
  readonly broken: readonly { readonly entry: string; readonly says: RegExp }[]
}

/** Every rule of docs/frames.md that can be seen from outside, held against one shim. */
export function framesSuite(name: string, shim: ShimUnderTest): void {
  describe(`the ${name} shim`, { concurrency: 1 }, () => {
    lifeTests(shim)
    callTests(shim)
    bodyTests(shim)
    if (!shim.lacks?.includes('webSocket')) webSocketTests(shim)
  })
}
