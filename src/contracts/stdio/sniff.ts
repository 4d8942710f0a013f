/** The content type of what a function wrote, from its first bytes, as browsers and Go tell it (WHATWG MIME Sniffing). Pure. */
export function sniffType(body: Uint8Array): string {
  const head = Buffer.from(body.buffer, body.byteOffset, Math.min(body.length, SNIFFED_BYTES))
  for (const [magic, type] of MAGIC) if (head.subarray(0, magic.length).equals(magic)) return type
  const text = head.toString('latin1').replace(/^[\t\n\f\r ]+/, '')
  if (HTML.test(text)) return 'text/html; charset=utf-8'
  if (text.startsWith('<?xml')) return 'text/xml; charset=utf-8'
  return BINARY.test(text) ? 'application/octet-stream' : 'text/plain; charset=utf-8'
}

const SNIFFED_BYTES = 512
const HTML =
  /^<(?:!DOCTYPE HTML|HTML|HEAD|SCRIPT|IFRAME|H1|DIV|FONT|TABLE|A|STYLE|TITLE|B|BODY|BR|P|!--)[ >-]/i
// oxlint-disable-next-line no-control-regex
const BINARY = /[\0-\x08\x0b\x0e-\x1a\x1c-\x1f]/
const MAGIC: readonly (readonly [Buffer, string])[] = [
  [Buffer.from('%PDF-'), 'application/pdf'],
  [Buffer.from('89504e470d0a1a0a', 'hex'), 'image/png'],
  [Buffer.from('GIF87a'), 'image/gif'],
  [Buffer.from('GIF89a'), 'image/gif'],
  [Buffer.from('ffd8ff', 'hex'), 'image/jpeg'],
  [Buffer.from('504b0304', 'hex'), 'application/zip'],
  [Buffer.from('1f8b08', 'hex'), 'application/x-gzip'],
]
