import type { ChosenTier } from '../core/index.ts'

/** Where images come from: the container engine. */
export interface ImageSource {
  /** Makes sure that the image is there; see `Images.pull` of the container backend. */
  pull(
    request: { readonly reference: string; readonly credentials?: string | undefined },
    told: (text: string) => void,
    signal: AbortSignal,
  ): Promise<{ readonly pinned: string; readonly architecture: string }>
}

/** What this installation can do to keep code apart. */
export interface IsolationSource {
  /** Resolves when functions can have this tier here; rejects with the reason why not, and what to install. */
  check(tier: ChosenTier): Promise<void>
  /** The tier of what runs from an image: the engine's to give. */
  readonly images: ChosenTier
}
