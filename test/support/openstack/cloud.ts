import { RabbitMq } from '../brokers/rabbitmq.ts'
import { Site } from '../site.ts'
import { Aodh } from './aodh.ts'
import { Ceilometer } from './ceilometer.ts'
import { type Credentials, Keystone, type Project, type User } from './keystone.ts'
import { Swift, type SwiftClient } from './swift.ts'

export interface Tenant {
  readonly project: Project
  readonly user: User
  readonly credentials: Credentials & {
    readonly user: string
    readonly password: string
    readonly project: string
  }
  /** Speaks to the account of its project. */
  readonly swift: SwiftClient
}

export interface CloudOptions {
  /** With Ceilometer's agent and Aodh. @default false */
  readonly alarms?: boolean
  /** See `SwiftOptions`. */
  readonly functionUrlPrefix?: string
  /** What the services listen on; a loopback address of their own by default. */
  readonly address?: string
}

/** A small OpenStack: Keystone, RabbitMQ and Swift that tells the bus of its requests; and two tenants, alpha and beta. */
export class Cloud {
  readonly site: Site
  readonly keystone: Keystone
  readonly broker: RabbitMq
  readonly swift: Swift
  readonly aodh: Aodh | undefined
  readonly alpha: Tenant
  readonly beta: Tenant

  private constructor(
    site: Site,
    parts: Pick<Cloud, 'keystone' | 'broker' | 'swift' | 'aodh' | 'alpha' | 'beta'>,
  ) {
    this.site = site
    this.keystone = parts.keystone
    this.broker = parts.broker
    this.swift = parts.swift
    this.aodh = parts.aodh
    this.alpha = parts.alpha
    this.beta = parts.beta
  }

  /** Rejects, with everything ended and the logs in the message, when a part does not come up. */
  static async start({ alarms = false, functionUrlPrefix, address }: CloudOptions = {}): Promise<Cloud> {
    const site = await Site.open(address)
    try {
      const [keystone, broker] = await Promise.all([Keystone.start(site), RabbitMq.start(site)])
      const [swift, aodh] = await Promise.all([
        Swift.start(site, {
          keystone,
          notify: broker,
          ...(functionUrlPrefix !== undefined && { functionUrlPrefix }),
        }),
        alarms ? Aodh.start(site, keystone, broker) : undefined,
        alarms ? Ceilometer.start(site, broker) : undefined,
      ])
      const [alpha, beta] = [await tenant(keystone, swift, 'alpha'), await tenant(keystone, swift, 'beta')]
      return new Cloud(site, { keystone, broker, swift, aodh, alpha, beta })
    } catch (error) {
      const logs = await site.logs()
      await site.close()
      throw new Error(`the cloud did not start: ${String(error)}\n${logs}`, { cause: error })
    }
  }

  close(): Promise<void> {
    return this.site.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

async function tenant(keystone: Keystone, swift: Swift, name: string): Promise<Tenant> {
  const project = await keystone.createProject(name)
  const user = await keystone.createUser(`${name}-user`, { project, roles: ['member', 'swiftoperator'] })
  const credentials = { user: user.name, password: user.password, project: name }
  return { project, user, credentials, swift: await swift.client(project, credentials) }
}
