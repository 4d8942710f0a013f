import type { Labels, Sample } from './exposition.ts'

/** Counts values by size. To observe one costs a look at each bound that it exceeds, and no memory. */
export class Histogram {
  readonly #bounds: readonly number[]
  /** By bound, each value in the first that holds it; the last is for those beyond all bounds. */
  readonly #counts: number[]
  #sum = 0

  /** `bounds` from small to large. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0)
  }

  observe(value: number): void {
    let at = 0
    while (at < this.#bounds.length && value > this.#bounds[at]!) at++
    this.#counts[at]!++
    this.#sum += value
  }

  /** As Prometheus wants it: each bucket holds those before it as well. */
  *samples(labels: Labels): Generator<Sample & { readonly suffix: string }> {
    let count = 0
    for (let at = 0; at <= this.#bounds.length; at++) {
      count += this.#counts[at]!
      const le = at < this.#bounds.length ? String(this.#bounds[at]) : '+Inf'
      yield { suffix: '_bucket', labels: { ...labels, le }, value: count }
    }
    yield { suffix: '_sum', labels, value: this.#sum }
    yield { suffix: '_count', labels, value: count }
  }
}
