import type { Launch, Sandbox } from '../../src/backends/index.ts'

/** Whether the files that use `SHELL` are run for the tier `gvisor` (gvisor.slow.test.ts does). */
export const IN_GVISOR = process.env['ATELIER_TEST_ISOLATION'] === 'gvisor'

/** A shell that obeys the channel: the tenant's code, whatever we want it to be. */
export const SHELL: Launch = {
  environment: 'shell',
  command: ['/bin/sh', '-c', 'exec /bin/sh <&3 >&3 2>&3'],
  env: { FROM_THE_MANIFEST: 'yes' },
  mounts: [],
  ...(IN_GVISOR && { isolation: 'gvisor' as const }),
}

/** Runs a shell command inside and resolves with what it printed and its exit code. */
export function inside(sandbox: Sandbox, command: string): Promise<{ text: string; code: number }> {
  const { channel } = sandbox
  return new Promise(resolve => {
    let text = ''
    const done = (answer: { text: string; code: number }) => {
      channel.off('data', onData).off('close', onClose)
      resolve(answer)
    }
    const onData = (piece: Buffer) => {
      text += String(piece)
      const end = /::(\d+)::\n$/.exec(text)
      if (end !== null) done({ text: text.slice(0, end.index), code: Number(end[1]) })
    }
    const onClose = () => done({ text, code: -1 })
    channel.on('data', onData).on('close', onClose)
    channel.write(`{ ${command}\n}; echo "::$?::"\n`)
  })
}

/** Runs Python inside; the program comes as a here-document. */
export function pythonInside(sandbox: Sandbox, program: string): Promise<{ text: string; code: number }> {
  return inside(sandbox, `/usr/bin/python3 - <<'EOP' 2>&1\n${program}\nEOP\n`)
}
