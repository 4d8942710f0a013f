import { randomBytes } from 'node:crypto'
import type { Daemon } from '../daemon.ts'
import { PYTHON, type Site, useWriteAheadLog } from '../site.ts'
import { type Answer, ask } from './ask.ts'

export const REGION = 'RegionOne'
const ADMIN = { user: 'admin', password: 'adminpw', project: 'admin' }

export interface Project {
  readonly id: string
  readonly name: string
}

export interface User extends Project {
  readonly password: string
}

/** Who asks for a token: a user with a project, or an application credential. */
export type Credentials =
  | { readonly user: string; readonly password: string; readonly project: string }
  | { readonly applicationCredentialId: string; readonly applicationCredentialSecret: string }

/** A real Keystone on SQLite; all users and projects are in the domain `default`. */
export class Keystone {
  /** With `/v3`. */
  readonly url: string
  readonly admin = ADMIN
  /** The project and password of the services' own users; each has the role `service`. */
  readonly serviceProject = 'service'
  readonly #daemon: Daemon
  readonly #roles = new Map<string, string>()
  #adminToken: string | undefined

  private constructor(url: string, daemon: Daemon) {
    this.url = url
    this.#daemon = daemon
  }

  /** `tokenLifeS`: how long tokens are good; short for tests of their end. */
  static async start(site: Site, { tokenLifeS = 3600 } = {}): Promise<Keystone> {
    const port = await site.freePort()
    const root = `http://${site.address}:${port}`
    const folder = await site.folderAt('keystone')
    const keys = await site.folderAt('keystone/fernet')
    for (const name of ['0', '1'])
      await site.write(`keystone/fernet/${name}`, randomBytes(32).toString('base64url').padEnd(44, '='))
    const config = await site.write('keystone/keystone.conf', keystoneConfig(folder, keys, tokenLifeS))
    await site.run(['keystone-manage', '--config-file', config, 'db_sync'])
    await useWriteAheadLog(site, `${folder}/keystone.db`)
    await site.run(['keystone-manage', '--config-file', config, 'bootstrap', ...bootstrapFlags(`${root}/v3`)])
    const serve = await site.write('keystone/serve.py', SERVE)
    const daemon = site.start('keystone', [PYTHON, serve, site.address, `${port}`], {
      env: { OS_KEYSTONE_CONFIG_DIR: folder },
    })
    await daemon.ready(`Keystone answers at ${root}/v3`, async () => (await fetch(`${root}/v3`)).ok)
    const keystone = new Keystone(`${root}/v3`, daemon)
    await keystone.createProject(keystone.serviceProject)
    await keystone.createRole('service')
    await keystone.createRole('swiftoperator')
    return keystone
  }

  async createProject(name: string): Promise<Project> {
    const { project } = await this.post<{ project: Project }>('/projects', {
      project: { name, domain_id: 'default' },
    })
    return project
  }

  /** A user with `roles` on a project. */
  async createUser(
    name: string,
    { password = `${name}pw`, project, roles = [] }: NewUser = {},
  ): Promise<User> {
    const { user } = await this.post<{ user: Project }>('/users', {
      user: {
        name,
        password,
        domain_id: 'default',
        ...(project !== undefined && { default_project_id: project.id }),
      },
    })
    if (project !== undefined) for (const role of roles) await this.grant(user, project, role)
    return { ...user, password }
  }

  /** The user that a service of this name validates tokens with. */
  async createServiceUser(name: string): Promise<User> {
    const project = await this.findProject(this.serviceProject)
    return this.createUser(name, { project, roles: ['service'] })
  }

  async grant(user: Project, project: Project, role: string): Promise<void> {
    await this.put(`/projects/${project.id}/users/${user.id}/roles/${await this.#role(role)}`)
  }

  async revoke(user: Project, project: Project, role: string): Promise<void> {
    await this.request('DELETE', `/projects/${project.id}/users/${user.id}/roles/${await this.#role(role)}`)
  }

  async createRole(name: string): Promise<void> {
    const { role } = await this.post<{ role: Project }>('/roles', { role: { name } })
    this.#roles.set(name, role.id)
  }

  /** Enters a service into the catalogue; `url` may hold `%(project_id)s`. */
  async createService(type: string, name: string, url: string): Promise<void> {
    const { service } = await this.post<{ service: Project }>('/services', { service: { type, name } })
    for (const side of ['public', 'internal', 'admin'])
      await this.post('/endpoints', {
        endpoint: { service_id: service.id, interface: side, url, region_id: REGION },
      })
  }

  async findProject(name: string): Promise<Project> {
    const { projects } = await this.get<{ projects: readonly Project[] }>(`/projects?name=${name}`)
    const [found] = projects
    if (found === undefined) throw new Error(`Keystone knows no project ${name}`)
    return found
  }

  /** A token; rejects with Keystone's answer when it refuses. */
  async token(credentials: Credentials): Promise<string> {
    const answer = await ask<unknown>('POST', `${this.url}/auth/tokens`, { json: tokenRequest(credentials) })
    return answer.headers.get('x-subject-token') ?? ''
  }

  /** An application credential of a user's own. */
  async createApplicationCredential(
    user: User,
    project: Project,
    name: string,
  ): Promise<{ readonly id: string; readonly secret: string }> {
    const token = await this.token({ user: user.name, password: user.password, project: project.name })
    const { json } = await ask<{ application_credential: { id: string; secret: string } }>(
      'POST',
      `${this.url}/users/${user.id}/application_credentials`,
      { json: { application_credential: { name } }, headers: { 'x-auth-token': token } },
    )
    return json.application_credential
  }

  /** An access key and secret for the S3 API, of a user in a project. */
  async createS3Key(
    user: User,
    project: Project,
  ): Promise<{ readonly access: string; readonly secret: string }> {
    const { credential } = await this.post<{ credential: { access: string; secret: string } }>(
      `/users/${user.id}/credentials/OS-EC2`,
      { tenant_id: project.id },
    )
    return credential
  }

  async get<T>(path: string): Promise<T> {
    return (await this.request<T>('GET', path)).json
  }

  async post<T>(path: string, body: unknown): Promise<T> {
    return (await this.request<T>('POST', path, body)).json
  }

  async put(path: string, body?: unknown): Promise<void> {
    await this.request('PUT', path, body)
  }

  /** One request to the identity API as its administrator; rejects unless it succeeds. */
  async request<T>(method: string, path: string, body?: unknown): Promise<Answer<T>> {
    this.#adminToken ??= await this.token(ADMIN)
    return ask<T>(method, this.url + path, {
      headers: { 'x-auth-token': this.#adminToken },
      ...(body !== undefined && { json: body }),
    })
  }

  stop(): Promise<void> {
    return this.#daemon.stop()
  }

  async #role(name: string): Promise<string> {
    const known = this.#roles.get(name)
    if (known !== undefined) return known
    const { roles } = await this.get<{ roles: readonly Project[] }>('/roles')
    for (const role of roles) this.#roles.set(role.name, role.id)
    const found = this.#roles.get(name)
    if (found === undefined) throw new Error(`Keystone knows no role ${name}`)
    return found
  }
}

interface NewUser {
  readonly password?: string
  readonly project?: Project
  readonly roles?: readonly string[]
}

/** The options by which a service finds Keystone, in the form of keystoneauth's sections. */
export function authOptions(keystone: Keystone, user: User): string {
  return `www_authenticate_uri = ${keystone.url}
auth_url = ${keystone.url}
auth_type = password
username = ${user.name}
password = ${user.password}
project_name = ${keystone.serviceProject}
user_domain_id = default
project_domain_id = default
region_name = ${REGION}
`
}

function tokenRequest(credentials: Credentials): object {
  if ('applicationCredentialId' in credentials) {
    const { applicationCredentialId: id, applicationCredentialSecret: secret } = credentials
    return {
      auth: { identity: { methods: ['application_credential'], application_credential: { id, secret } } },
    }
  }
  const domain = { id: 'default' }
  const { user: name, password, project } = credentials
  return {
    auth: {
      identity: { methods: ['password'], password: { user: { name, domain, password } } },
      scope: { project: { name: project, domain } },
    },
  }
}

function keystoneConfig(folder: string, keys: string, tokenLifeS: number): string {
  // Receipts need their keys named too, or the bootstrap looks for those of the system. The cache makes validation
  // cheap; being one of the process, it wants one process with one thread. Credentials that it decrypts are changed where
  // that cache holds them, so they must not be in it.
  return `[DEFAULT]
use_stderr = true
[database]
connection = sqlite:///${folder}/keystone.db
[token]
provider = fernet
expiration = ${tokenLifeS}
[fernet_tokens]
key_repository = ${keys}
[fernet_receipts]
key_repository = ${keys}
[credential]
key_repository = ${keys}
caching = false
[identity]
password_hash_rounds = 4
[cache]
enabled = true
backend = oslo_cache.dict
`
}

function bootstrapFlags(url: string): string[] {
  const flags = {
    username: ADMIN.user,
    password: ADMIN.password,
    'project-name': ADMIN.project,
    'role-name': 'admin',
    'service-name': 'keystone',
    'region-id': REGION,
    'public-url': url,
    'internal-url': url,
    'admin-url': url,
  }
  return Object.entries(flags).flatMap(([name, value]) => [`--bootstrap-${name}`, value])
}

const SERVE = `import sys
host, port = sys.argv[1], int(sys.argv[2])
sys.argv = ['keystone']
from keystone.server.wsgi import initialize_public_application
from waitress import serve
serve(initialize_public_application(), host=host, port=port, threads=1, ident='')
`
