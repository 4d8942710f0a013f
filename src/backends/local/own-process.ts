import type { Duplex } from 'node:stream'

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * Runs a tenant's own program. Its environment comes over the channel, once the process has lost all rights: what sets up the sandbox
 * as root must never see a tenant's LD_PRELOAD, and no other user of the machine may read it from a command line. The program
 * then has no channel.
 */
const SCRIPT = 'environment=$(cat <&3) && exec 3<&- && eval "$environment" && [ "$begun" = yes ] && exec "$@"'

/** The same where channel and stdin are one stream: what follows the environment is the program's. */
const SCRIPT_STDIN =
  'IFS= read -r size && environment=$(head -c "$size") && eval "$environment" && [ "$begun" = yes ] && exec "$@"'

/** `command` so that it waits for `sendEnvironment`. `overStdin`: its channel is its stdin. */
export function waitingForEnvironment(command: readonly string[], overStdin: boolean): string[] {
  return ['/bin/sh', '-c', overStdin ? SCRIPT_STDIN : SCRIPT, 'sh', ...command]
}

/**
 * Lets the command at the other end of `channel` run, with these variables, after it has made `folder`. A name that no shell can export
 * gets `_` for what is odd. `overStdin`: as in `waitingForEnvironment`.
 */
export function sendEnvironment(
  channel: Duplex,
  env: Readonly<Record<string, string>>,
  folder: string | undefined,
  overStdin: boolean,
): void {
  let text = 'unset environment\nbegun=yes\n'
  if (folder !== undefined) text += `mkdir -m 700 ${quote(folder)}\n` // what is there already stays, and is told on stderr
  for (const [name, value] of Object.entries(env)) {
    const exported = NAME.test(name)
      ? name
      : name.replaceAll(/[^A-Za-z0-9_]/g, '_').replace(/^(?=[0-9])/, '_')
    if (exported !== '') text += `export ${exported}=${quote(value)}\n`
  }
  if (overStdin) {
    channel.write(`${Buffer.byteLength(text)}\n${text}`)
    channel.resume()
    return
  }
  channel.end(text)
  channel.resume() // nothing comes back but its end
}

function quote(value: string): string {
  return `'${value.replaceAll('\0', '').replaceAll("'", "'\\''")}'`
}
