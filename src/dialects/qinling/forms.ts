import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { QinlingError } from './answers.ts'
import { mediaType } from './reading.ts'

/** What a function's package may weigh, as Qinling has it for objects of the object store: 51 MiB. */
export const PACKAGE_BYTES_MAX = 53_477_376
const FORM_BYTES_MAX = PACKAGE_BYTES_MAX + 1024 * 1024

/** What was sent to make or change a function; `null` and what is no text are left out. */
export interface FunctionForm {
  readonly fields: ReadonlyMap<string, string>
  readonly archive: Archive | undefined
}

export interface Archive {
  readonly bytes: Buffer
  readonly md5: string
}

/** Bodies come whole: what they must be is said after who asks was checked. */
export function takeBytes(server: FastifyInstance): void {
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  server.addContentTypeParser(
    'multipart/form-data',
    { parseAs: 'buffer', bodyLimit: FORM_BYTES_MAX },
    (_request, body, done) => done(null, body),
  )
}

/** A form of a function: multipart, urlencoded, or JSON whose `code` is a text too. */
export async function formIn(request: FastifyRequest): Promise<FunctionForm> {
  const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
  const type = mediaType(request)
  const fields = new Map<string, string>()
  if (type === 'application/json') {
    for (const [name, value] of Object.entries(jsonObject(bytes))) {
      if (typeof value === 'string') fields.set(name, value)
      else if (typeof value === 'number') fields.set(name, String(value))
      else if (name === 'code' && value !== null) fields.set(name, JSON.stringify(value))
    }
    return { fields, archive: undefined }
  }
  if (type !== 'multipart/form-data') {
    for (const [name, value] of new URLSearchParams(bytes.toString())) fields.set(name, value)
    return { fields, archive: undefined }
  }
  let archive: Archive | undefined
  for (const [name, value] of await multipartIn(request)) {
    if (typeof value === 'string') fields.set(name, value)
    else if (name === 'package') archive = archiveOf(Buffer.from(await value.arrayBuffer()))
  }
  return { fields, archive }
}

/** The parts of a multipart body; 400 when it is none. */
export async function multipartIn(request: FastifyRequest): Promise<FormData> {
  const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
  const headers = { 'content-type': request.headers['content-type'] ?? '' }
  try {
    return await new Response(new Uint8Array(bytes), { headers }).formData()
  } catch {
    throw new QinlingError(400, 'The multipart body cannot be read.')
  }
}

/** Checks that these bytes are an archive. */
export function archiveOf(bytes: Buffer): Archive {
  if (bytes.length > PACKAGE_BYTES_MAX)
    throw new QinlingError(413, `The package is larger than ${PACKAGE_BYTES_MAX} bytes.`)
  const isZip = bytes.subarray(0, 2).toString('latin1') === 'PK' && bytes.includes('PK\u0005\u0006', -65_557)
  if (!isZip) throw new QinlingError(400, 'Package is not a valid ZIP package.')
  return { bytes, md5: createHash('md5').update(bytes).digest('hex') }
}

function jsonObject(bytes: Buffer): object {
  try {
    const value: unknown = JSON.parse(bytes.toString())
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch {
    // Said below.
  }
  throw new QinlingError(400, 'Request is not in valid JSON format')
}
