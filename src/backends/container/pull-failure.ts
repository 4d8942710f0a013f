import { AtelierError } from '../../core/index.ts'

const CAUSE_CHARACTERS_MAX = 500

/**
 * What failed pulls are told as, by the engine's words; the first that fits. Its words themselves stay here: they repeat what they were
 * answered, and the engine goes wherever a tenant's registry sends it on to, also to what answers to this machine alone.
 */
const REASONS: readonly (readonly [words: RegExp, told: string])[] = [
  [
    /too ?many ?requests|rate limit|StatusCode: 429/i,
    'the registry takes no more requests from here for now',
  ],
  [
    /unauthorized|authentication|credential|access denied|StatusCode: 40[13]|no basic auth/i,
    'access is denied: the registry wants credentials that allow it (an image secret), or there is no such image',
  ],
  [
    /manifest.{0,80}unknown|name unknown|not found|no such image|StatusCode: 404/i,
    'the registry has no such image',
  ],
  [/x509|certificate/i, 'the registry shows a certificate that the engine does not trust'],
  [
    /server gave HTTP response to HTTPS client/i,
    'the registry speaks no TLS, which whoever runs the engine would have to allow',
  ],
  [/no such host|server misbehaving|name resolution/i, 'the name of its registry is not known'],
  [/refused|unreachable|no route|time-?out|timed out|deadline|reset|EOF/i, 'its registry cannot be reached'],
  [/no (?:matching manifest|image found)/i, 'there is none for this machine’s architecture'],
]

/** The error for a pull of `reference` that failed as the engine says. */
export function pullFailed(reference: string, said: string): AtelierError {
  const cause = new Error(said.replaceAll(/\s+/g, ' ').slice(0, CAUSE_CHARACTERS_MAX))
  if (/no space left|disk quota|ENOSPC/i.test(said))
    return new AtelierError(
      'STORAGE_FULL',
      `Image "${reference}" does not fit: the container engine's disk is full. Whoever runs it has to make room there.`,
      { cause },
    )
  const why = REASONS.find(([words]) => words.test(said))?.[1] ?? 'what answered is no registry, or no image'
  return new AtelierError('BUILD_FAILED', `Image "${reference}" could not be pulled: ${why}.`, { cause })
}
