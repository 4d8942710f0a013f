import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import {
  type RegisteredService,
  type Registration,
  registerAtKeystone,
  SERVICES,
} from '../../identity/index.ts'
import { CliFailure, EXIT, usage } from '../failure.ts'
import type { Options } from '../options.ts'
import type { CommandSpec, GroupSpec } from '../spec.ts'

const PASSWORD_BYTES = 24

const register: CommandSpec = {
  name: 'register',
  summary: 'Enter this server in the Keystone of a cloud',
  details: `Makes the user that the server checks tokens as, with the role "service", and the services functions/picasso and function-engine/qinling with their endpoints. What is there already is brought up to date, so it may run again.
Who it is done as comes from the variables of the openstack command: OS_AUTH_URL, OS_USERNAME, OS_PASSWORD, OS_PROJECT_NAME, OS_USER_DOMAIN_NAME, OS_PROJECT_DOMAIN_NAME, OS_REGION_NAME, OS_CACERT.`,
  options: [
    {
      flags: '--password-file <file>',
      help: "File with the password of the server's user; made when it is not there. The setting keystone-password-file of the server names it too",
    },
    { flags: '--service-user <name>', help: "Name of the server's user (default: atelier)" },
    { flags: '--service-project <name>', help: 'Project of that user (default: service)' },
    { flags: '--service-domain <name>', help: 'Domain of both (default: the id "default")' },
    { flags: '--picasso-url <url>', help: 'Where the dialect picasso answers: http://host:10001' },
    { flags: '--qinling-url <url>', help: 'Where the dialect qinling answers: http://host:7070' },
  ],
  examples: [
    [
      'atelier openstack register --password-file /etc/atelier/keystone.password --picasso-url http://functions:10001',
      'after ". admin-openrc"',
    ],
  ],
  async run({ context, options }) {
    const registration: Registration = {
      administrator: administratorOf(context.env),
      service: {
        user: options.text('serviceUser') ?? 'atelier',
        password: passwordIn(options.text('passwordFile')),
        project: options.text('serviceProject') ?? 'service',
        domain: options.text('serviceDomain') ?? 'default',
      },
      region: context.env.OS_REGION_NAME || 'RegionOne',
      services: servicesOf(options),
    }
    await registerAtKeystone(registration, text => context.note(text))
  },
}

function administratorOf(env: NodeJS.ProcessEnv): Registration['administrator'] {
  const needed = (name: string): string => {
    const value = env[name]
    if (value) return value
    throw usage(
      `${name} is not set`,
      'Load the login of an administrator of the cloud first: ". admin-openrc".',
    )
  }
  const domain = (kind: string): string =>
    env[`OS_${kind}_DOMAIN_NAME`] || env[`OS_${kind}_DOMAIN_ID`] || env.OS_DEFAULT_DOMAIN || 'default'
  return {
    url: needed('OS_AUTH_URL'),
    user: needed('OS_USERNAME'),
    password: needed('OS_PASSWORD'),
    project: needed('OS_PROJECT_NAME'),
    userDomain: domain('USER'),
    projectDomain: domain('PROJECT'),
    ...(env.OS_CACERT && { ca: readFileSync(env.OS_CACERT, 'utf8') }),
  }
}

/** The password in the file; a new one where there is no file. */
function passwordIn(path: string | undefined): string {
  if (path === undefined)
    throw usage(
      '--password-file is needed',
      "It keeps the password of the server's user, and is made when it is not there.",
    )
  if (!existsSync(path))
    writeFileSync(path, `${randomBytes(PASSWORD_BYTES).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' })
  const password = readFileSync(path, 'utf8').trim()
  if (password === '')
    throw new CliFailure(EXIT.failed, `${path} is empty`, { hint: 'Remove it: a new password is made then.' })
  return password
}

function servicesOf(options: Options): readonly RegisteredService[] {
  const offered = [
    { option: 'picassoUrl', type: SERVICES.picasso, name: 'picasso', description: 'Functions-as-a-Service' },
    { option: 'qinlingUrl', type: SERVICES.qinling, name: 'qinling', description: 'Function Service' },
  ] as const
  return offered.flatMap(({ option, ...service }) => {
    const url = options.text(option)?.replace(/\/+$/, '')
    if (url === undefined) return []
    if (!URL.canParse(url) || !/^https?:/.test(url))
      throw usage(`${JSON.stringify(url)} is not an address`, 'Such as http://functions:10001.')
    return [{ ...service, url }]
  })
}

export const openstack: GroupSpec = {
  name: 'openstack',
  summary: 'Work beside an OpenStack cloud',
  commands: [register],
}
