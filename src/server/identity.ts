import { readFileSync } from 'node:fs'
import { AtelierError } from '../core/index.ts'
import {
  createEmbeddedIdentity,
  type EmbeddedIdentity,
  type HeldProjects,
  type IdentityProvider,
  type KeystoneSettings,
  openKeystoneIdentity,
} from '../identity/index.ts'
import type { Store } from '../store/index.ts'
import type { ServerConfig } from './config.ts'
import { makeFirstLogin } from './home.ts'
import type { Site } from './site.ts'

/** Who says who calls. */
export interface OpenedIdentity {
  readonly provider: IdentityProvider
  /** When it is our own. */
  readonly embedded: EmbeddedIdentity | undefined
  close(): void
}

/**
 * The identity that the settings name. Our own makes the first user and project when there are none. A Keystone that cannot be reached
 * is no reason not to start: public functions need none. Rejects with INVALID_INPUT for settings that cannot be used.
 */
export async function openIdentity(
  site: Site,
  parts: {
    readonly store: Store
    readonly projects: HeldProjects
    /** See `createEmbeddedIdentity`. */
    readonly onForgotten: () => void
  },
): Promise<OpenedIdentity> {
  const { config, clock, home, log } = site
  const { store, projects, onForgotten } = parts
  if (config.identity === 'embedded') {
    const embedded = await createEmbeddedIdentity({ store, clock, onForgotten })
    // Before the table is loaded: it makes the first project. The addresses follow when they are known.
    await makeFirstLogin(embedded, home)
    return { provider: embedded, embedded, close: () => {} }
  }
  const provider = await openKeystoneIdentity({ settings: keystoneSettings(config), clock, projects })
  void provider.check().catch((error: unknown) => {
    const why = error instanceof AtelierError ? error.message : 'Keystone cannot be asked.'
    log.error({ err: error }, `${why} Until it can be, nobody new is let in.`)
  })
  return { provider, embedded: undefined, close: () => provider.close() }
}

/** Throws INVALID_INPUT that names the setting. */
export function keystoneSettings(config: ServerConfig): KeystoneSettings {
  const endpoint = config['keystone-endpoint']
  if (endpoint === '') throw wrong('keystone-endpoint', 'is needed with --identity keystone')
  const password = passwordOf(config)
  const cafile = config['keystone-cafile']
  return {
    url: endpoint,
    ...(password !== undefined && {
      service: {
        user: config['keystone-user'],
        password,
        project: config['keystone-project'],
        domain: config['keystone-domain'],
      },
    }),
    ...(cafile !== '' && { ca: readText('keystone-cafile', cafile) }),
    roles: {
      admin: listOf(config['keystone-admin-roles']),
      member: listOf(config['keystone-member-roles']),
      reader: listOf(config['keystone-reader-roles']),
    },
    adminProjects: listOf(config['keystone-admin-projects']),
    domains: listOf(config['keystone-domains']),
    cacheMs: config['keystone-cache-s'] * 1000,
  }
}

function passwordOf(config: ServerConfig): string | undefined {
  const path = config['keystone-password-file']
  const given = config['keystone-password']
  if (path === '') return given === '' ? undefined : given
  if (given !== '') throw wrong('keystone-password-file', 'and keystone-password are both set: use one')
  // Editors end a file with a line's end, which is no part of a password.
  const password = readText('keystone-password-file', path).replace(/\r?\n$/, '')
  if (password === '') throw wrong('keystone-password-file', `names ${path}, which is empty`)
  return password
}

function readText(setting: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const { code = 'unreadable' } = cause as NodeJS.ErrnoException
    throw wrong(setting, `names ${path}, which cannot be read (${code})`)
  }
}

function listOf(text: string): readonly string[] {
  return text
    .split(',')
    .map(each => each.trim())
    .filter(each => each !== '')
}

function wrong(setting: string, detail: string): AtelierError {
  return new AtelierError('INVALID_INPUT', `The setting ${setting} ${detail}.`, {
    errors: [{ pointer: setting, detail }],
  })
}
