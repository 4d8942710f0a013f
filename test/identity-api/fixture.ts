import fastify, { type FastifyInstance } from 'fastify'
import type { Clock } from '../../src/core/index.ts'
import { mountIdentityApi } from '../../src/identity-api/index.ts'
import { ControlFixture } from '../support/control.ts'
import type { KeystonePlace } from '../support/keystone-client.ts'

/** The identity API alone, over a real store, on a port of its own. */
export class IdentityApiFixture implements KeystonePlace {
  readonly control: ControlFixture
  readonly admin: KeystonePlace['admin']
  readonly url: string
  readonly #server: FastifyInstance

  private constructor(
    control: ControlFixture,
    admin: KeystonePlace['admin'],
    server: FastifyInstance,
    url: string,
  ) {
    this.control = control
    this.admin = admin
    this.#server = server
    this.url = url
  }

  get clock(): Clock {
    return this.control.clock
  }

  static async open(): Promise<IdentityApiFixture> {
    const control = await ControlFixture.open()
    const admin = { user: 'root', password: 'the password of root', project: 'default' }
    await control.identity.createUser(control.admin, { name: admin.user, password: admin.password })
    await control.identity.grant(control.admin, { user: admin.user, project: admin.project, role: 'admin' })
    const server = fastify({ logger: false, forceCloseConnections: true })
    await mountIdentityApi(server, {
      identity: control.identity,
      projects: control.control,
      services: [{ type: 'faas', name: 'atelier', url: base => `${base}/v1` }],
      trustForwarded: false,
      log: { error: (fields, message) => console.error(message, fields) },
    })
    const address = await server.listen({ host: '127.0.0.1', port: 0 })
    return new IdentityApiFixture(control, admin, server, `${address}/identity/v3`)
  }

  async dispose(): Promise<void> {
    await this.#server.close()
    await this.control.dispose()
  }
}
