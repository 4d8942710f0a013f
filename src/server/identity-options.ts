import type { ServerOption } from './option.ts'

/** The settings that say who keeps users, projects and roles. */
export const identityOptions = [
  {
    name: 'identity',
    type: 'choice',
    choices: ['embedded', 'keystone'],
    default: 'embedded',
    description:
      'Who keeps users, projects and roles: this server itself (docs/identity.md), or a Keystone v3 (docs/keystone.md).',
  },
  {
    name: 'keystone-endpoint',
    type: 'text',
    default: '',
    description: 'Address of Keystone, with /v3 or without: http://controller:5000/v3.',
  },
  {
    name: 'keystone-user',
    type: 'text',
    default: 'atelier',
    description: 'User that this server checks tokens as. The role service in its project is enough.',
  },
  {
    name: 'keystone-password-file',
    type: 'text',
    default: '',
    description:
      'File with the password of that user. Without a password each token is asked about itself, and functions get no tokens.',
  },
  {
    name: 'keystone-password',
    type: 'text',
    default: '',
    description:
      'The password itself: in the variable ATELIER_KEYSTONE_PASSWORD, as a secret is given to a container; not on the command line, ' +
      'which others on the machine can read.',
  },
  { name: 'keystone-project', type: 'text', default: 'service', description: 'Project of that user.' },
  {
    name: 'keystone-domain',
    type: 'text',
    default: 'default',
    description: 'Domain of that user and project: its name, or the id "default".',
  },
  {
    name: 'keystone-cafile',
    type: 'text',
    default: '',
    description: "Certificates (PEM) to trust when Keystone speaks TLS. Without it: the system's.",
  },
  {
    name: 'keystone-admin-roles',
    type: 'text',
    default: 'admin',
    description: 'Roles of Keystone that make an operator of this platform, with commas.',
  },
  {
    name: 'keystone-member-roles',
    type: 'text',
    default: 'member',
    description: 'Roles of Keystone that let their holder deploy and call in the project.',
  },
  {
    name: 'keystone-reader-roles',
    type: 'text',
    default: 'reader',
    description: 'Roles of Keystone that let their holder look at what is in the project.',
  },
  {
    name: 'keystone-admin-projects',
    type: 'text',
    default: '',
    description:
      "Projects (names or ids, with commas) where an operator's role counts; elsewhere it is a member's. Without it: in all of them.",
  },
  {
    name: 'keystone-domains',
    type: 'text',
    default: '',
    description: 'Domains (names or ids, with commas) whose projects are let in. Without it: all.',
  },
  {
    name: 'keystone-cache-s',
    type: 'integer',
    min: 0,
    max: 300,
    default: 60,
    description:
      'Seconds that a checked token is believed without asking Keystone again, never past its end: so long may a revoked one go on.',
  },
] as const satisfies readonly ServerOption[]
