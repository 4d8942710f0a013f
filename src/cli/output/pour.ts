import { type Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { StringDecoder } from 'node:string_decoder'
import { printable } from './styles.ts'

/** Passes on to stdout what others wrote: byte by byte to a file or a program, and to a terminal so that it cannot be driven by it. */
export async function pour(source: Readable): Promise<void> {
  if (process.stdout.isTTY) await pipeline(source, visible(), process.stdout, { end: false })
  else await pipeline(source, process.stdout, { end: false })
}

function visible(): Transform {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const text = rest + decoder.write(chunk)
      // It may be half of a line's end.
      rest = text.endsWith('\r') ? '\r' : ''
      done(null, shown(text.slice(0, text.length - rest.length)))
    },
    flush(done) {
      done(null, shown(rest + decoder.end()))
    },
  })
}

function shown(text: string): string {
  return printable(text.replaceAll('\r\n', '\n'))
}
