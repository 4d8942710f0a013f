import { fnScript } from './scripts/fn/script.ts'
import { functionsClientScript } from './scripts/functions-client.ts'
import { ironfunctionsScript } from './scripts/ironfunctions.ts'
import { picassoScript } from './scripts/picasso/script.ts'
import { qinlingScript } from './scripts/qinling/script.ts'
import type { Script } from './step.ts'

/** What each client does, dialect by dialect; made anew for each server, since what they make is remembered in them. */
export function scripts(): readonly Script[] {
  return [picassoScript(), ironfunctionsScript(), functionsClientScript(), fnScript(), qinlingScript()]
}
