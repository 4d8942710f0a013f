import type { Clock } from '../core/index.ts'

/** The waiting of a front that takes no new connections: until nothing runs, or the grace is over. */
export class Drain {
  readonly #clock: Clock
  #isDraining = false
  #isSettled = false
  #running = 0
  #onIdle: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get isDraining(): boolean {
    return this.#isDraining
  }

  begin(graceMs: number, running: number): Promise<void> {
    this.#isDraining = true
    this.#running = running
    return new Promise(resolve => {
      const cancelGrace = this.#clock.after(graceMs, resolve)
      this.#onIdle = () => {
        cancelGrace()
        resolve()
      }
      this.#clock.after(Math.min(IDLE_GRACE_MS, graceMs), () => {
        this.#isSettled = true
        this.left(this.#running)
      })
    })
  }

  /** No connection is left that something could come by. */
  emptied(): void {
    if (this.#isDraining) this.#onIdle?.()
  }

  /** `running` exchanges are left. */
  left(running: number): void {
    this.#running = running
    if (this.#isSettled && running === 0) this.#onIdle?.()
  }
}

// Closing an idle connection at once fails the request that its client is just sending.
const IDLE_GRACE_MS = 500
