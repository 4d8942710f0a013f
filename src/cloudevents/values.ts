/** What values of the specification's types must be like. Each function tells what is wrong, or `undefined`. */

/** String: no control characters, no halves of surrogate pairs, no noncharacters. */
export function textProblem(value: string): string | undefined {
  if (CONTROL.test(value)) return 'has a control character'
  if (!value.isWellFormed() || NONCHARACTER.test(value)) return 'has a character that no text may have'
  return undefined
}

/** URI-reference (RFC 3986). */
export function sourceProblem(value: string): string | undefined {
  return URI_REFERENCE.test(value)
    ? undefined
    : 'must be a URI reference; percent-encode what has no place in one'
}

/** Whether it is a URI-reference (RFC 3986). */
export function isUriReference(value: string): boolean {
  return URI_REFERENCE.test(value)
}

/** Whether it is a media type (RFC 2046), with parameters or without. */
export function isMediaType(value: string): boolean {
  return MEDIA_TYPE.test(value)
}

/** URI with a scheme (RFC 3986). */
export function dataschemaProblem(value: string): string | undefined {
  return /^[A-Za-z][A-Za-z0-9+.-]*:/.test(value) && URI_REFERENCE.test(value) ? undefined : 'must be a URI'
}

/** Media type with parameters (RFC 2045, RFC 9110). */
export function datacontenttypeProblem(value: string): string | undefined {
  return MEDIA_TYPE.test(value) ? undefined : 'must be a media type, such as application/json'
}

/** Timestamp (RFC 3339), a real day of the calendar; a leap second may be told. */
export function timeProblem(value: string): string | undefined {
  return parseTime(value) === undefined
    ? 'must be a time by RFC 3339, such as 2026-01-31T12:00:00Z'
    : undefined
}

/** Epoch milliseconds of an RFC 3339 time, cut to the millisecond; `undefined` when it is none. */
export function parseTime(value: string): number | undefined {
  const match = TIME.exec(value)
  if (!match) return undefined
  const [, year, month, day, hour, minute, second, fraction, sign, zoneHour, zoneMinute] = match
  const [y, mo, d, h, mi] = [Number(year), Number(month), Number(day), Number(hour), Number(minute)]
  const s = Number(second)
  const [zh, zm] = [Number(zoneHour ?? 0), Number(zoneMinute ?? 0)]
  if (mo < 1 || mo > 12 || d < 1 || d > daysIn(y, mo) || h > 23 || mi > 59 || zh > 23 || zm > 59)
    return undefined
  const offsetMinutes = (sign === '-' ? -1 : 1) * (zh * 60 + zm)
  // A leap second ends a day of UTC, wherever it is told.
  if (
    s > 60 ||
    (s === 60 && (h * 60 + mi - offsetMinutes + 2 * DAY_MINUTES) % DAY_MINUTES !== DAY_MINUTES - 1)
  )
    return undefined
  const midnight = new Date(0)
  midnight.setUTCFullYear(y, mo - 1, d)
  const ms = Number((fraction ?? '').slice(0, 3).padEnd(3, '0'))
  return midnight.getTime() + ((h * 60 + mi - offsetMinutes) * 60 + s) * 1000 + ms
}

const DAY_MINUTES = 1_440

function daysIn(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
  return [4, 6, 9, 11].includes(month) ? 30 : 31
}

const CONTROL = /\p{Cc}/u
const NONCHARACTER = /\p{Noncharacter_Code_Point}/u
const URI_REFERENCE = /^(?:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/
const TOKEN = "[A-Za-z0-9!#$%&'*+.^_`|~\\-]+"
const QUOTED = '"(?:[^"\\\\\\p{Cc}]|\\\\\\P{Cc})*"'
// Spaces behind a semicolon belong to one place only, so that no text makes the search try many ways.
const MEDIA_TYPE = new RegExp(
  `^${TOKEN}/${TOKEN}(?:[ \\t]*;(?:[ \\t]*${TOKEN}=(?:${TOKEN}|${QUOTED}))?)*[ \\t]*$`,
  'u',
)
const TIME = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/
