import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'

export interface MultipartBody {
  readonly contentType: string
  open(): Readable
}

/** A multipart body of one JSON part and, where there is one, a file that is never held in memory. (RFC 7578) */
export function multipart(
  settings: unknown,
  file: { readonly fileName: string; open(): Readable } | undefined,
  onBytes: (count: number) => void,
): MultipartBody {
  const boundary = `atelier-${randomUUID()}`
  // RFC 7578 leaves quoting to the HTML standard: these three characters are percent-encoded there.
  const fileName = file?.fileName.replace(/["\r\n]/g, character => encodeURIComponent(character))
  async function* parts(): AsyncGenerator<Buffer> {
    yield Buffer.from(
      `--${boundary}\r\ncontent-disposition: form-data; name="settings"\r\ncontent-type: application/json\r\n\r\n${JSON.stringify(settings)}\r\n`,
    )
    if (file === undefined) return yield Buffer.from(`--${boundary}--\r\n`)
    yield Buffer.from(
      `--${boundary}\r\ncontent-disposition: form-data; name="package"; filename="${fileName}"\r\ncontent-type: application/octet-stream\r\n\r\n`,
    )
    for await (const chunk of file.open() as AsyncIterable<Buffer>) {
      onBytes(chunk.length)
      yield chunk
    }
    yield Buffer.from(`\r\n--${boundary}--\r\n`)
  }
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    open: () => Readable.from(parts(), { objectMode: false }),
  }
}
