import { chown, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Certificates, makeCertificates, opensslMissing } from '../brokers/certificates.ts'
import type { Daemon } from '../brokers/daemon.ts'
import type { OtherUser } from './user.ts'

/** A database server of a test. */
export interface Database {
  readonly daemon: Daemon
  /** What it shows to who speaks TLS; `undefined`: nothing, since no openssl is here. */
  readonly certificates: Certificates | undefined
  /** Makes an empty database; resolves with its URI. */
  create(): Promise<string>
  /** Runs SQL in a database, as the server's administrator; resolves with what it printed. */
  ask(database: string, text: string): Promise<string>
}

/** Certificates in the server's own folder, which its user can read. */
export async function certificatesIn(
  folder: string,
  user: OtherUser | undefined,
): Promise<Certificates | undefined> {
  if (opensslMissing !== undefined) return undefined
  const place = join(folder, 'tls')
  await mkdir(place)
  const made = await makeCertificates(place)
  if (user) for (const path of [place, made.keyPath]) await chown(path, user.uid, user.gid)
  return made
}
