import type { ServerOption } from './option.ts'

/** The settings of other systems' APIs. */
export const dialectOptions = [
  {
    name: 'dialects',
    type: 'text',
    default: '',
    description:
      'APIs of other systems that are spoken too, by name, with commas: each on the port that its clients expect, or on its own ' +
      '(name:port; 0 takes a free one). There are: fn, ironfunctions, picasso, qinling.',
  },
  {
    name: 'picasso-functions-url',
    type: 'text',
    default: '',
    description:
      'Address of an IronFunctions that runs the functions of the dialect picasso. Without it: this server.',
  },
  {
    name: 'dialect-project',
    type: 'text',
    default: '',
    description:
      'Project that everybody works in who reaches the port of a dialect whose clients know no users (ironfunctions, fn). Without it ' +
      'they need a token.',
  },
  {
    name: 'ironfunctions-jwt-key',
    type: 'text',
    default: '',
    description:
      'Key (HS256) of the JSON Web Tokens that they need then, as with JWT_AUTH_KEY of IronFunctions. Without it they need none.',
  },
  {
    name: 'qinling-endpoint',
    type: 'text',
    default: '',
    description:
      'Where clients reach the dialect qinling, for the addresses of its webhooks. Without it: the address that a request came to.',
  },
  {
    name: 'qinling-swift-url',
    type: 'text',
    default: '',
    description:
      'Address of the object store whose objects may be functions of the dialect qinling, with %(project_id)s for the project, as in ' +
      'http://swift:8080/v1/AUTH_%(project_id)s. It is asked with the token of who makes the function. Without it there are none.',
  },
  {
    name: 'qinling-execution-days',
    type: 'integer',
    default: 90,
    min: 1,
    max: 3_650,
    description: 'How many days executions of the dialect qinling are kept.',
  },
] as const satisfies readonly ServerOption[]
