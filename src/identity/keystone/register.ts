import { AtelierError } from '../../core/index.ts'
import { Administrator, type AdministratorLogin, type Entry } from './administrator.ts'
import { domainOf, type ServiceUser } from './settings.ts'

const INTERFACES = ['public', 'internal', 'admin'] as const
const ROLE = 'service'

/** What a cloud is to know of this server. */
export interface Registration {
  readonly administrator: AdministratorLogin
  /** The user that the server checks tokens as. `password` is set, also when the user is there already with another. */
  readonly service: ServiceUser
  readonly region: string
  /** Entries of the catalogue, each with one address for all. */
  readonly services: readonly RegisteredService[]
}

/** A service for Keystone's catalogue. */
export interface RegisteredService {
  readonly type: string
  readonly name: string
  readonly description: string
  readonly url: string
}

/**
 * Enters the server's user with the role `service` and its services with their endpoints; what is there already is left, or brought up to
 * date. `onStep` is told what was done. Rejects as `Administrator` does.
 */
export async function register(input: Registration, onStep: (text: string) => void): Promise<void> {
  const keystone = await Administrator.logIn(input.administrator)
  try {
    await registerUser(keystone, input, onStep)
    for (const service of input.services) await registerService(keystone, service, input.region, onStep)
  } finally {
    keystone.close()
  }
}

async function registerUser(
  keystone: Administrator,
  { administrator, service }: Registration,
  onStep: (text: string) => void,
): Promise<void> {
  const { user, password, project, domain } = service
  const domainId = await idOfDomain(keystone, domain)
  const place = await ensure(keystone, 'projects', 'project', { name: project, domain_id: domainId }, onStep)
  const role = await ensure(keystone, 'roles', 'role', { name: ROLE }, onStep)
  const [known] = await keystone.find('users', { name: user, domain_id: domainId })
  const fields = { name: user, domain_id: domainId, password }
  const entry = known ?? (await keystone.create('users', 'user', fields))
  await keystone.grant(entry, place, role)
  // A password that is set ends every token of its user, those of running servers too: one that holds is left alone.
  const isOther = known !== undefined && !(await canLogIn(administrator, service))
  if (isOther) await keystone.update('users', 'user', entry.id, { password })
  onStep(`user ${user} is ${known ? `there, with this password${isOther ? ' from now on' : ''}` : 'made'}`)
  onStep(`user ${user} has the role ${ROLE} in project ${project}`)
}

/** Whether the server's own user has this password. */
async function canLogIn(
  { url, ca }: AdministratorLogin,
  { user, password, project, domain }: ServiceUser,
): Promise<boolean> {
  const login = { url, user, password, project, userDomain: domain, projectDomain: domain }
  try {
    const own = await Administrator.logIn({ ...login, ...(ca !== undefined && { ca }) })
    own.close()
    return true
  } catch (error) {
    if (error instanceof AtelierError && error.code === 'UNAUTHENTICATED') return false
    throw error
  }
}

async function registerService(
  keystone: Administrator,
  { type, name, description, url }: RegisteredService,
  region: string,
  onStep: (text: string) => void,
): Promise<void> {
  try {
    const service = await ensure(keystone, 'services', 'service', { type, name }, onStep, { description })
    const endpoints = await keystone.find('endpoints', { service_id: service.id })
    for (const side of INTERFACES) {
      const known = endpoints.find(each => each['interface'] === side && each['region_id'] === region)
      if (known?.['url'] === url) onStep(`${side} endpoint of ${type} is there: ${url}`)
      else if (known) {
        await keystone.update('endpoints', 'endpoint', known.id, { url })
        onStep(`${side} endpoint of ${type} is now ${url}`)
      } else {
        const fields = { service_id: service.id, interface: side, region_id: region, url }
        await keystone.create('endpoints', 'endpoint', fields)
        onStep(`${side} endpoint of ${type} is made: ${url}`)
      }
    }
  } catch (error) {
    if (!(error instanceof AtelierError) || error.code !== 'NOT_FOUND') throw error
    onStep(`the catalogue follows from what that server serves: ${type} is left as it is there`)
  }
}

/** The one entry that has these fields, which it is made of when there is none. */
async function ensure(
  keystone: Administrator,
  collection: string,
  singular: string,
  fields: Readonly<Record<string, string>>,
  onStep: (text: string) => void,
  more: object = {},
): Promise<Entry> {
  const [known] = await keystone.find(collection, fields)
  const entry = known ?? (await keystone.create(collection, singular, { ...fields, ...more }))
  onStep(`${singular} ${fields['name']} is ${known ? 'there' : 'made'}`)
  return entry
}

async function idOfDomain(keystone: Administrator, domain: string): Promise<string> {
  const reference = domainOf(domain)
  if ('id' in reference) return reference.id
  const [found] = await keystone.find('domains', { name: reference.name })
  if (found) return found.id
  throw new AtelierError('NOT_FOUND', `Keystone has no domain ${JSON.stringify(domain)}.`)
}
