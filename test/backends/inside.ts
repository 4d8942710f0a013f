import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import type { Launch, Sandbox } from '../../src/backends/index.ts'

/** A shell that obeys the channel: the tenant's code, whatever we want it to be. */
export const SHELL: Launch = {
  environment: 'shell',
  command: ['/bin/sh', '-c', 'exec /bin/sh <&3 >&3 2>&3'],
  env: { FROM_THE_MANIFEST: 'yes' },
  mounts: [],
}

/** Runs a shell command inside and resolves with what it printed and its exit code. */
export async function inside(sandbox: Sandbox, command: string): Promise<{ text: string; code: number }> {
  const channel: Duplex = sandbox.channel
  channel.write(`{ ${command}\n}; echo "::$?::"\n`)
  let text = ''
  for (;;) {
    const end = /::(\d+)::\n$/.exec(text)
    if (end !== null) return { text: text.slice(0, end.index), code: Number(end[1]) }
    const piece: unknown = channel.read()
    if (piece !== null) text += String(piece)
    else if (channel.readableEnded || channel.destroyed) return { text, code: -1 }
    else await Promise.race([once(channel, 'readable'), once(channel, 'close')])
  }
}

/** Runs Python inside; the program comes as a here-document. */
export function pythonInside(sandbox: Sandbox, program: string): Promise<{ text: string; code: number }> {
  return inside(sandbox, `/usr/bin/python3 - <<'EOP' 2>&1\n${program}\nEOP\n`)
}
