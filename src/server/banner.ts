import type { Capabilities } from '../backends/index.ts'

export interface BannerFacts {
  readonly version: string
  readonly apiUrl: string
  readonly routerUrl: string
  readonly home: string
  readonly adminPath: string
  readonly backend: string
  readonly capabilities: Capabilities
  readonly environments: readonly { readonly name: string; readonly text: string }[]
  readonly dialects: readonly { readonly name: string; readonly url: string }[]
  /** Where tokens come from, when not from here. */
  readonly keystone: string | undefined
}

/** What the server prints when it is ready: what runs, how it is kept apart, where things are, what to try. */
export function banner(facts: BannerFacts): string {
  const { capabilities } = facts
  const rows: [string, string][] = [
    ['API', `${facts.apiUrl}  (documentation: ${facts.apiUrl}/docs)`],
    ['router', `${facts.routerUrl}  (functions answer here)`],
    ...facts.dialects.map((each): [string, string] => [each.name, each.url]),
    ['isolation', `${capabilities.tier}, by ${facts.backend}`],
    ...capabilities.notes.map((note): [string, string] => ['', `- ${note}`]),
    ['network', capabilities.network.join(', ')],
    ...facts.environments.map((each, i): [string, string] => [
      i === 0 ? 'languages' : '',
      `${each.name}: ${each.text}`,
    ]),
    ['data', facts.home],
    ...loginRows(facts),
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return [
    `Atelier ${facts.version} is ready.`,
    ...rows.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`),
    '',
    'Try:',
    '  npx atelier deploy examples/hello',
    `  curl ${facts.routerUrl}/default/default/hello`,
    '  npx atelier logs hello',
    '',
  ].join('\n')
}

function loginRows({ apiUrl, adminPath, keystone }: BannerFacts): [string, string][] {
  if (keystone !== undefined)
    return [
      ['log in', `with tokens of Keystone at ${keystone}:`],
      ['', `ATELIER_URL=${apiUrl} ATELIER_TOKEN=$(openstack token issue -f value -c id) atelier whoami`],
    ]
  return [
    ['log in', 'on this machine the command line finds its login by itself; from elsewhere:'],
    ['', `atelier login --url ${apiUrl} --user admin   (password: ${adminPath})`],
  ]
}
