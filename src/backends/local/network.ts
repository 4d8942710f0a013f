import { spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { backendFailed, COMMAND_ENV, command, findProgram, OWN_SESSION } from './commands.ts'
import type { Identity } from './launcher.ts'

const READY_MS_MAX = 10_000
const OUTPUT_BYTES_MAX = 4096

/** The address at which the sandbox finds names; its /etc/resolv.conf says so. */
export const NAME_SERVER = '10.0.2.3'

/**
 * What slirp4netns would still let through, taken away by the kernel inside the network namespace, where nobody has the
 * right to put it back. slirp turns *every* port of its name server's address into the host's name server, which on many
 * machines is a loopback address: then the host's loopback services would answer there. So only port 53 is left of it,
 * and nothing of the other addresses that stand for the host; by protocol, since slirp's own default route goes through one of
 * them and may be set later than this. Link-local is where clouds keep their metadata; the last
 * three are where Azure, Alibaba and Oracle keep theirs. Protocols (UDP is 17, TCP is 6) have names only where netbase is installed.
 */
const RULES = `rule add pref 10 to ${NAME_SERVER} ipproto 17 dport 53 lookup main
rule add pref 11 to ${NAME_SERVER} ipproto 6 dport 53 lookup main
rule add pref 12 to 10.0.2.0/24 ipproto 17 blackhole
rule add pref 13 to 10.0.2.0/24 ipproto 6 blackhole
rule add pref 14 to 169.254.0.0/16 blackhole
rule add pref 15 to 168.63.129.16 blackhole
rule add pref 16 to 100.100.100.200 blackhole
rule add pref 17 to 192.0.0.192 blackhole
`

const NOTHING_LEAVES = 'rule add pref 1 unreachable'.split(' ')

export interface Connection {
  /** Lets nothing leave from now on; resolves when that is in force. The interface follows in some milliseconds, also when this rejects. */
  cut(): Promise<void>
  /** Takes the network away without waiting: when nobody is left to use it. */
  close(): void
}

/** Gives network namespaces a way out through a user-mode network stack, one process for each sandbox. */
export class OutboundNetwork {
  readonly #slirp: string
  readonly #ip: string
  readonly #nsenter: string

  private constructor(slirp: string, ip: string, nsenter: string) {
    this.#slirp = slirp
    this.#ip = ip
    this.#nsenter = nsenter
  }

  /** The network, or why this machine cannot give one. */
  static find(): OutboundNetwork | { readonly reason: string } {
    const slirp = findProgram('slirp4netns')
    const ip = findProgram('ip')
    const nsenter = findProgram('nsenter')
    if (slirp === undefined) return { reason: 'slirp4netns is not installed' }
    if (ip === undefined) return { reason: 'ip (iproute2) is not installed' }
    if (nsenter === undefined) return { reason: 'nsenter (util-linux) is not installed' }
    return new OutboundNetwork(slirp, ip, nsenter)
  }

  /**
   * Connects the network namespace of process `pid`. Resolves when addresses, routes and rules are in place. Nobody else may be
   * setting up the namespace meanwhile.
   */
  async connect(pid: number, identity: Identity): Promise<Connection> {
    const slirp = this.#startSlirp(pid, identity)
    const user = identity.kind === 'mapped' ? ['-U', '--preserve-credentials'] : []
    const inside = ['-t', String(pid), ...user, '-n', '--', this.#ip]
    try {
      // The rules come second: once they are in force, its own route through one of those addresses would be refused.
      await slirp.ready
      await command(this.#nsenter, [...inside, '-batch', '-'], RULES)
    } catch (error) {
      slirp.close()
      throw error
    }
    return {
      cut: async () => {
        // The kernel takes its time to remove an interface: 10 ms that nobody need wait for.
        try {
          await command(this.#nsenter, [...inside, ...NOTHING_LEAVES])
        } finally {
          slirp.close() // also of a sandbox that has ended meanwhile
        }
      },
      close: slirp.close,
    }
  }

  #startSlirp(pid: number, identity: Identity): { readonly ready: Promise<void>; close(): void } {
    const target = identity.kind === 'own' ? ['--netns-type=path', `/proc/${pid}/ns/net`] : [String(pid)]
    const child = spawn(
      this.#slirp,
      // It parses what hostile code sends, so it locks itself in; it ends when descriptor 4 does, even if we are killed.
      [
        '--configure',
        '--mtu=65520',
        '--disable-host-loopback',
        '--enable-sandbox',
        '--enable-seccomp',
        '--ready-fd=3',
        '--exit-fd=4',
        ...target,
        'tap0',
      ],
      { ...OWN_SESSION, env: COMMAND_ENV, stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] },
    )
    const readyPipe = child.stdio[3] as Readable
    const exitPipe = child.stdio[4] as Writable
    exitPipe.on('error', () => {})
    readyPipe.on('error', () => {})
    let said = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-OUTPUT_BYTES_MAX)
    })
    const ready = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(backendFailed('the network did not come up in time', new Error(said)))
      }, READY_MS_MAX)
      readyPipe.once('data', () => {
        clearTimeout(timer)
        resolve()
      })
      child.on('error', error => {
        clearTimeout(timer)
        reject(backendFailed('slirp4netns could not be run', error))
      })
      child.on('close', code => {
        clearTimeout(timer)
        reject(backendFailed(`slirp4netns ended with code ${code}`, new Error(said)))
      })
    })
    ready.catch(() => {}) // whoever asked for the connection awaits it; later ends are the sandbox's own business
    return {
      ready,
      close: () => {
        exitPipe.destroy()
        child.kill('SIGKILL')
      },
    }
  }
}
