import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { AtelierError } from '../core/index.ts'
import { LISTENERS, PREDECESSOR } from './inherited.ts'

/**
 * One server takes over from another, over a pipe between the two: the new one says `prepared` when it has read its configuration
 * and its code; the old one lets its calls finish, closes, and says `go`; the new one opens the data and says `serving`.
 */
const PREPARED = 'prepared'
const GO = 'go'
const SERVING = 'serving'

const FIRST_FD = 3 // behind standard input, output and error
const PREPARE_MS_MAX = 60_000
const WORD_BYTES_MAX = 64

/** The new server, as the old one sees it. */
export class Successor {
  readonly #child: ChildProcess
  readonly #talk: Talk

  /** Starts this program again, as it was started, with the sockets. */
  constructor(handles: readonly { readonly name: string; readonly fd: number; readonly port: number }[]) {
    const talkFd = FIRST_FD
    const listeners = handles.map(({ name, port }, i) => `${name}=${talkFd + 1 + i}:${port}`).join(',')
    this.#child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
      detached: true, // this process ends, and what watches it may end its group
      stdio: ['inherit', 'inherit', 'inherit', 'pipe', ...handles.map(({ fd }) => fd)],
      env: { ...process.env, [LISTENERS]: listeners, [PREDECESSOR]: String(talkFd) },
    })
    this.#talk = new Talk(this.#child.stdio[talkFd] as Socket)
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Rejects with UNAVAILABLE when it ends before, or takes too long: then it is gone, and nothing has changed. */
  async prepared(): Promise<void> {
    const patience = setTimeout(() => this.stop(), PREPARE_MS_MAX)
    try {
      await this.#hear(PREPARED)
    } finally {
      clearTimeout(patience)
    }
  }

  /** The data is free. Resolves when the new server answers; rejects with UNAVAILABLE when it ends before. */
  async go(): Promise<void> {
    this.#talk.say(GO)
    await this.#hear(SERVING)
  }

  stop(): void {
    this.#child.kill('SIGTERM')
  }

  /** Lets this process end before the other. */
  release(): void {
    this.#talk.close()
    this.#child.unref()
  }

  async #hear(word: string): Promise<void> {
    const failed = once(this.#child, 'error').then(([error]) => (error as Error).message)
    const heard = this.#talk.hear(word).then(isHeard => (isHeard ? undefined : 'it ended'))
    const problem = await Promise.race([heard, failed])
    if (problem === undefined) return
    this.stop()
    throw new AtelierError('UNAVAILABLE', `The new server did not come to say "${word}": ${problem}.`)
  }
}

/** The old server, as the new one sees it. */
export class Predecessor {
  readonly #talk: Talk

  constructor(socket: Socket) {
    this.#talk = new Talk(socket)
  }

  /** Resolves when the old one has closed everything; also when it just ended. */
  async leaves(): Promise<void> {
    this.#talk.say(PREPARED)
    await this.#talk.hear(GO)
  }

  succeeded(): void {
    this.#talk.say(SERVING)
    this.close()
  }

  /** Without having said anything: this one does not take over. */
  close(): void {
    this.#talk.close()
  }
}

/** Words, a line each. */
class Talk {
  readonly #socket: Socket
  #heard = ''
  #hasEnded = false
  #onNews: () => void = () => {}

  constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      this.#heard = (this.#heard + text).slice(-WORD_BYTES_MAX)
      this.#onNews()
    })
    const end = (): void => {
      this.#hasEnded = true
      this.#onNews()
    }
    socket.on('error', end)
    socket.on('close', end)
  }

  say(word: string): void {
    this.#socket.write(`${word}\n`)
  }

  /** Whether the other said so; false when it is gone. */
  hear(word: string): Promise<boolean> {
    return new Promise(resolve => {
      this.#onNews = () => {
        const isHeard = this.#heard.split('\n').includes(word)
        if (isHeard || this.#hasEnded) resolve(isHeard)
      }
      this.#onNews()
    })
  }

  close(): void {
    this.#socket.destroySoon()
    this.#socket.unref()
  }
}
