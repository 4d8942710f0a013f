import * as fc from 'fast-check'

/**
 * Text of any characters, half of them ASCII. Fast-check's own unit "binary" is the same for half a second of CPU: it makes a
 * table of all characters first.
 */
export function anyText(lengths: {
  readonly minLength?: number
  readonly maxLength: number
}): fc.Arbitrary<string> {
  const ascii = fc.integer({ min: 0, max: 0x7f })
  const point = fc.oneof(
    { weight: 2, arbitrary: ascii },
    fc.integer({ min: 0x80, max: 0xd7ff }), // surrogates are no characters
    fc.integer({ min: 0xe000, max: 0x10ffff }),
  )
  return fc.array(point, lengths).map(points => String.fromCodePoint(...points))
}
