import { invalidPackage } from './names.ts'
import { isTarHeader } from './tar.ts'

/** What an upload is. A single source file becomes a package of that one file, under the name it came with. */
export type Format =
  | { readonly kind: 'zip' | 'tar' | 'tar.gz' }
  | { readonly kind: 'file'; readonly name: string; readonly executable: boolean }

/** Archives that are recognised only to say what to use instead. */
const UNREAD: readonly { readonly name: string; readonly magic: string }[] = [
  { name: 'bzip2', magic: '425a68' },
  { name: 'xz', magic: 'fd377a585a00' },
  { name: 'zstd', magic: '28b52ffd' },
  { name: '7z', magic: '377abcaf271c' },
  { name: 'rar', magic: '526172211a07' },
]

const ARCHIVE_NAME = /\.(zip|tar|tgz|gz|bz2|tbz2?|xz|txz|zst|7z|rar)$/i

/** Tells by the first bytes; the name only matters for a single file. PACKAGE_INVALID says what can be sent. */
export function sniff(head: Uint8Array, fileName: string): Format {
  const hex = Buffer.from(head).toString('hex')
  if (hex.startsWith('504b0304') || hex.startsWith('504b0506')) return { kind: 'zip' }
  if (hex.startsWith('1f8b')) return { kind: 'tar.gz' }
  if (isTarHeader(head)) return { kind: 'tar' }
  const unread = UNREAD.find(each => hex.startsWith(each.magic))
  if (unread)
    throw invalidPackage(`is a ${unread.name} archive, which is not read; send a zip, a tar or a tar.gz`)
  if (ARCHIVE_NAME.test(fileName))
    throw invalidPackage(
      `is named ${JSON.stringify(fileName)} and is no such archive; send a zip, a tar or a tar.gz`,
    )
  const name = fileName.replaceAll('\\', '/').split('/').at(-1) ?? ''
  if (name === '' || name === '.' || name === '..')
    throw invalidPackage('is a single file without a name; name it, since the name tells the language')
  return { kind: 'file', name, executable: hex.startsWith('2321') || hex.startsWith('7f454c46') }
}
