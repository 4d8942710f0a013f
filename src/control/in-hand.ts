import type { ReceivedPackage } from '../builder/index.ts'
import type { Context } from './context.ts'

/**
 * Packages whose deploy is not over. What came to nothing goes with it: no quota counts it, so who is refused again and again would fill
 * the disk.
 */
export class InHand {
  readonly #context: Context
  readonly #deploys = new Map<string, number>()

  constructor(context: Context) {
    this.#context = context
  }

  /** Until the returned function is called, which never rejects. */
  hold({ digest }: ReceivedPackage): () => Promise<void> {
    const receivedAt = this.#context.clock.now()
    this.#deploys.set(digest, (this.#deploys.get(digest) ?? 0) + 1)
    return async () => {
      const left = this.#deploys.get(digest)! - 1
      if (left > 0) {
        this.#deploys.set(digest, left)
        return
      }
      this.#deploys.delete(digest)
      try {
        if (await this.#isNamed(digest)) return
        if (!this.#deploys.has(digest)) await this.#context.options.builder.discard(digest, receivedAt)
      } catch {
        // The collector does it later.
      }
    }
  }

  /** Whether some project has a version of it, or keeps the log of its build. */
  async #isNamed(digest: string): Promise<boolean> {
    const { db } = this.#context.store
    const kept = db.selectFrom('packages').select('digest').where('digest', '=', digest)
    const frozen = db.selectFrom('versions').select('id').where('package_digest', '=', digest)
    return (await kept.executeTakeFirst()) !== undefined || (await frozen.executeTakeFirst()) !== undefined
  }
}
