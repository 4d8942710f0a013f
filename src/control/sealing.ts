import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { mkdir, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { AtelierError } from '../core/index.ts'

const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
export const KEY_ID_CHARACTERS_MAX = 16
const LINE = new RegExp(`^([A-Za-z0-9]{1,${KEY_ID_CHARACTERS_MAX}}) ([A-Za-z0-9+/]{43}=)$`)

/** Keys by id; new secrets are sealed with the first, older ones opened with theirs. */
export type SecretKeys = ReadonlyMap<string, Buffer>

/**
 * Reads the keys from a file of lines `<id> <32 bytes in base64>`, or makes it (mode 0600) with one key when it is not there.
 * To rotate, put a new line first and restart; secrets move to it as they are set. Rejects with INVALID_INPUT.
 */
export async function openSecretKeys(path: string): Promise<SecretKeys> {
  try {
    const text = await readFile(path, 'utf8')
    const keys = new Map<string, Buffer>()
    for (const line of text.split('\n').filter(each => each.trim() !== '')) {
      const [, id, key] = LINE.exec(line.trim()) ?? []
      if (id === undefined || key === undefined || keys.has(id)) throw unusable(path)
      keys.set(id, Buffer.from(key, 'base64'))
    }
    if (keys.size === 0) throw unusable(path)
    return keys
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const id = randomBytes(4).toString('hex')
  const key = randomBytes(KEY_BYTES)
  // On the disk before any secret is sealed with it: without its key a secret is lost.
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(`${id} ${key.toString('base64')}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  const folder = await open(dirname(path), 'r')
  await folder.sync().finally(() => folder.close())
  return new Map([[id, key]])
}

function unusable(path: string): AtelierError {
  return new AtelierError(
    'INVALID_INPUT',
    `The key file ${path} cannot be used: each line must be an id, a space, and 32 bytes in base64. Restore it from a backup.`,
  )
}

/** Encrypts with AES-256-GCM. What is sealed for one `place` (project and name) cannot be opened as another's. */
export function seal(keys: SecretKeys, place: readonly string[], value: string): string {
  const [[id, key] = unknownKey('')] = keys
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(placeBytes(place))
  const sealed = Buffer.concat([cipher.update(value, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return `${id}.${nonce.toString('base64url')}.${sealed.toString('base64url')}`
}

/** Throws INTERNAL when the key is not there any more or the text was changed. */
export function unseal(keys: SecretKeys, place: readonly string[], sealed: string): string {
  const [id = '', nonce = '', text = ''] = sealed.split('.')
  const key = keys.get(id) ?? unknownKey(id)
  const bytes = Buffer.from(text, 'base64url')
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64url'), {
      authTagLength: TAG_BYTES,
    })
    decipher.setAAD(placeBytes(place)).setAuthTag(bytes.subarray(-TAG_BYTES))
    return Buffer.concat([decipher.update(bytes.subarray(0, -TAG_BYTES)), decipher.final()]).toString('utf8')
  } catch (cause) {
    throw new AtelierError('INTERNAL', `The secret "${place.at(-1)}" cannot be opened: set it again.`, {
      cause,
    })
  }
}

/** Id of the key that a sealed text needs. */
export function keyIdOf(sealed: string): string {
  return sealed.slice(0, sealed.indexOf('.'))
}

function unknownKey(id: string): never {
  throw new AtelierError(
    'INTERNAL',
    `Secrets were sealed with the key "${id}", which is not in the key file: restore secret.key from a backup.`,
  )
}

function placeBytes(place: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify(place))
}
