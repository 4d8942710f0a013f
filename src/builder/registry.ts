import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Where a build sandbox sees the folder with `RegistrySettings.files`. */
export const REGISTRY_TARGET = '/registry'

/**
 * How this machine reaches package registries, for build sandboxes. What the operator set up for their own npm and pip works
 * for builds too, but none of their files is shown, and nothing that holds a password is handed on: install
 * scripts are tenants' code and could read it.
 */
export interface RegistrySettings {
  readonly env: Readonly<Record<string, string>>
  /** Files that `env` refers to, by name: npm's settings (a package's own npmrc goes over them), certificates. */
  readonly files: Readonly<Record<string, string>>
  /** Settings that were left out, and why; for the operator's log. */
  readonly leftOut: readonly string[]
}

const PEM = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g
const CERTIFICATES_BYTES_MAX = 4 * 1024 * 1024

/** Variables that are handed on by name; npm, pip and Go read them. */
const VARIABLES = [
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'ALL_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'all_proxy',
  'PIP_INDEX_URL',
  'PIP_EXTRA_INDEX_URL',
  'PIP_TRUSTED_HOST',
  'PIP_DEFAULT_TIMEOUT',
  'PIP_RETRIES',
  'GOPROXY',
  'GONOPROXY',
  'GOPRIVATE',
  'GOSUMDB',
  'GONOSUMDB',
]
const CERTIFICATE_VARIABLES = [
  'NODE_EXTRA_CA_CERTS',
  'PIP_CERT',
  'SSL_CERT_FILE',
  'REQUESTS_CA_BUNDLE',
  'npm_config_cafile',
]

/** npm settings that are handed on, as `npm config list --json` names them; scopes (`@org:registry`) too. */
const NPM_KEYS = [
  'registry',
  'proxy',
  'https-proxy',
  'noproxy',
  'strict-ssl',
  'fetch-timeout',
  'fetch-retries',
]

/** pip settings that are handed on, as pip's configuration files name them. */
const PIP_KEYS: Readonly<Record<string, string>> = {
  'index-url': 'PIP_INDEX_URL',
  'extra-index-url': 'PIP_EXTRA_INDEX_URL',
  'trusted-host': 'PIP_TRUSTED_HOST',
  proxy: 'PIP_PROXY',
  timeout: 'PIP_DEFAULT_TIMEOUT',
  retries: 'PIP_RETRIES',
}

/** Looks at this process's environment and its user's npm and pip settings. Never rejects: what cannot be read is not set. */
export async function readRegistrySettings(environment: NodeJS.ProcessEnv): Promise<RegistrySettings> {
  const [npm, pip, go] = await Promise.all([
    npmSettings(environment),
    pipSettings(environment),
    goSettings(environment),
  ])
  const fromProcess = VARIABLES.flatMap(name => {
    const value = environment[name]
    return value === undefined || value === '' ? [] : [[name, value] as const]
  })
  const leftOut: string[] = []
  const safe = (settings: Iterable<readonly [string, string]>) =>
    [...settings].filter(([name, value]) => {
      if (!/:\/\/[^/\s]*@/.test(value)) return true
      leftOut.push(`${name}: it holds a password, which builds could read`)
      return false
    })
  const npmrc = safe(npm.settings).map(([key, value]) => `${key}=${value}\n`)
  const env = Object.fromEntries(safe([...pip.settings, ...go, ...fromProcess]))
  const paths = CERTIFICATE_VARIABLES.map(name => environment[name])
  const certificates = await certificatesOf([...paths, npm.certificatePath, pip.certificatePath])
  return {
    env: {
      ...env,
      npm_config_globalconfig: `${REGISTRY_TARGET}/npmrc`,
      ...(certificates === '' ? {} : certificateVariables(`${REGISTRY_TARGET}/ca.pem`)),
    },
    files: { npmrc: npmrc.join(''), ...(certificates === '' ? {} : { 'ca.pem': certificates }) },
    leftOut,
  }
}

/** What makes npm, pip and what they start trust the certificates in the file at `path`. */
function certificateVariables(path: string): Record<string, string> {
  return {
    NODE_EXTRA_CA_CERTS: path,
    npm_config_cafile: path,
    PIP_CERT: path,
    SSL_CERT_FILE: path,
    REQUESTS_CA_BUNDLE: path,
    CURL_CA_BUNDLE: path,
    GIT_SSL_CAINFO: path,
  }
}

interface Found {
  readonly settings: ReadonlyMap<string, string>
  readonly certificatePath: string | undefined
}

async function npmSettings(environment: NodeJS.ProcessEnv): Promise<Found> {
  let listed: Record<string, unknown>
  try {
    // From the root folder, where no project's own npmrc speaks.
    const { stdout } = await promisify(execFile)('npm', ['config', 'list', '--json'], {
      cwd: '/',
      env: withoutNpm(environment),
      timeout: 20_000,
    })
    listed = JSON.parse(stdout) as Record<string, unknown>
  } catch {
    return { settings: new Map(), certificatePath: undefined }
  }
  const settings = new Map<string, string>()
  for (const [key, value] of Object.entries(listed)) {
    if (!NPM_KEYS.includes(key) && !/^@[^:\s]+:registry$/.test(key)) continue
    if (typeof value === 'string' && value !== '' && !/[\r\n]/.test(value)) settings.set(key, value)
    else if (typeof value === 'number' || typeof value === 'boolean') settings.set(key, `${value}`)
  }
  const cafile = listed['cafile']
  return { settings, certificatePath: typeof cafile === 'string' ? cafile : undefined }
}

/** `npm start` hands its own view of the settings down as npm_* variables; those of the repository are not the operator's. */
function withoutNpm(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !/^npm_(?!config_registry$)/i.test(name)),
  )
}

/** What `go env -w` has written down. */
async function goSettings(environment: NodeJS.ProcessEnv): Promise<ReadonlyMap<string, string>> {
  const home = environment['XDG_CONFIG_HOME'] ?? join(environment['HOME'] ?? homedir(), '.config')
  const text = await readFile(environment['GOENV'] ?? join(home, 'go', 'env'), 'utf8').catch(() => '')
  const pairs = text.split('\n').map(line => {
    const at = line.indexOf('=')
    return [line.slice(0, at), line.slice(at + 1).trim()] as const
  })
  return new Map(pairs.filter(([name, value]) => VARIABLES.includes(name) && value !== ''))
}

/** pip's configuration files, the later over the earlier. */
async function pipSettings(environment: NodeJS.ProcessEnv): Promise<Found> {
  const home = environment['HOME'] ?? homedir()
  const paths = [
    '/etc/xdg/pip/pip.conf',
    '/etc/pip.conf',
    join(home, '.pip', 'pip.conf'),
    join(environment['XDG_CONFIG_HOME'] ?? join(home, '.config'), 'pip', 'pip.conf'),
    environment['PIP_CONFIG_FILE'],
  ]
  const settings = new Map<string, string>()
  let certificatePath: string | undefined
  for (const path of paths) {
    if (path === undefined) continue
    for (const [key, value] of parseIni(await readFile(path, 'utf8').catch(() => ''))) {
      const name = PIP_KEYS[key]
      if (name !== undefined) settings.set(name, value)
      if (key === 'cert') certificatePath = value
    }
  }
  return { settings, certificatePath }
}

/** The settings of the sections [global] and [install]; continuation lines are joined with a space, as pip does. */
function parseIni(text: string): Map<string, string> {
  const settings = new Map<string, string>()
  let section = ''
  let key: string | undefined
  for (const line of text.split('\n')) {
    if (/^\s*([#;].*)?$/.test(line)) continue
    const header = /^\[(.+)\]\s*$/.exec(line)
    const pair = /^([^\s=:][^=:]*?)\s*[=:]\s*(.*)$/.exec(line)
    if (header) {
      section = header[1]!
      key = undefined
    } else if (/^\s/.test(line) && key !== undefined) {
      settings.set(key, `${settings.get(key) ?? ''} ${line.trim()}`.trim())
    } else if (pair && ['global', 'install'].includes(section)) {
      key = pair[1]!.replaceAll('_', '-')
      settings.set(key, pair[2]!.trim())
    } else key = undefined
  }
  return settings
}

/** The certificates in these files, each once; never a key that stands beside them. */
async function certificatesOf(paths: readonly (string | undefined)[]): Promise<string> {
  const blocks = new Set<string>()
  for (const path of new Set(paths)) {
    if (path === undefined || path === '') continue
    const text = await readFile(path, 'latin1').catch(() => '')
    if (text.length > CERTIFICATES_BYTES_MAX) continue
    for (const [block] of text.matchAll(PEM)) blocks.add(block)
  }
  return blocks.size === 0 ? '' : `${[...blocks].join('\n')}\n`
}
