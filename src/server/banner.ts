import type { Parts } from './parts.ts'
import type { Site } from './site.ts'

/** What the server prints when it is ready: what runs, how it is kept apart, where things are, what to try. */
export function bannerOf(
  site: Site,
  { backend, languages }: Pick<Parts, 'backend' | 'languages'>,
  dialects: ReadonlyMap<string, string>,
): string {
  const { version, home, urls } = site
  const capabilities = backend.capabilities()
  const rows: [string, string][] = [
    ['API', `${urls.api}  (documentation: ${urls.api}/docs)`],
    ['router', `${urls.router}  (functions answer here)`],
    ...dialects,
    ['isolation', `${capabilities.tier}, by ${backend.name}`],
    ...capabilities.notes.map((note): [string, string] => ['', `- ${note}`]),
    ['network', capabilities.network.join(', ')],
    ...languages.shown.map(({ name, text }, i): [string, string] => [
      i === 0 ? 'languages' : '',
      `${name}: ${text}`,
    ]),
    ['data', home.path],
    ...loginRows(site),
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return [
    `Atelier ${version} is ready.`,
    ...rows.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`),
    '',
    'Try:',
    '  npx atelier deploy examples/hello',
    `  curl ${urls.router}/default/default/hello`,
    '  npx atelier logs hello',
    '',
  ].join('\n')
}

function loginRows({ config, home, urls }: Site): [string, string][] {
  if (config.identity === 'keystone')
    return [
      ['log in', `with tokens of Keystone at ${config['keystone-endpoint']}:`],
      ['', `ATELIER_URL=${urls.api} ATELIER_TOKEN=$(openstack token issue -f value -c id) atelier whoami`],
    ]
  return [
    ['log in', 'on this machine the command line finds its login by itself; from elsewhere:'],
    ['', `atelier login --url ${urls.api} --user admin   (password: ${home.adminPath})`],
  ]
}
