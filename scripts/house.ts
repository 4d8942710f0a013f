import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

/** Every import points down this list; see ARCHITECTURE.md. */
const STOREYS = [
  'cli',
  'server',
  'api',
  'dialects',
  'identity-api',
  'router',
  'triggers',
  'async',
  'invoker',
  'control',
  'pool',
  'builder',
  'environments',
  'contracts',
  'backends',
  'telemetry',
  'identity',
  'topics',
  'cloudevents',
  'nodes',
  'store',
  'core',
] as const

/** Folders whose folders are houses of their own: `backends/local` and `backends/fake` do not know each other. */
const NESTED: readonly string[] = ['backends', 'contracts', 'dialects', 'environments', 'triggers']

/** Folders in those that all others there may know: what several have in common. */
const COMMON: readonly string[] = ['contracts/http1', 'dialects/engine']

/** Packages that only some storeys may know. */
const PACKAGE_RULES: readonly {
  readonly pattern: RegExp
  readonly only: readonly string[]
  /** Types of it may be known everywhere. */
  readonly typesAnywhere?: true
  readonly why: string
}[] = [
  {
    pattern: /^(kysely|node:sqlite)$/,
    only: ['store', 'control', 'identity', 'telemetry', 'api', 'async', 'topics', 'triggers', 'nodes'],
    why: 'the data plane knows no SQL',
  },
  {
    pattern: /^fastify$|^@fastify\//,
    only: ['api', 'dialects', 'identity-api', 'server'],
    why: 'only APIs are built on it',
  },
  { pattern: /^commander$|^@clack\//, only: ['cli'], why: 'only the command line is built on it' },
  { pattern: /^node:http$/, only: [], typesAnywhere: true, why: 'nodeHttp() of core costs 14 MB less' },
]

interface Import {
  readonly from: string
  readonly specifier: string
  /** It makes no circle: a type is gone when the code runs, and what is loaded later finds the rest loaded. */
  readonly loose: boolean
}

/** What is against the rules of the house, one line each; empty when it is in order. */
export function houseErrors(source: string): string[] {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.ts') && !path.includes('templates'))
    .map(path => join(source, path))
  const imports = files.flatMap(importsOf)
  return [...imports.flatMap(each => importErrors(source, each)), ...circles(source, imports)]
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8')
  const found: Import[] = []
  for (const match of text.matchAll(/^\s*(?:import|export)\s+(type\s)?[^'";]*?from\s+'([^']+)'/gm))
    found.push({ from: file, specifier: match[2]!, loose: match[1] !== undefined })
  for (const match of text.matchAll(/^\s*import\s+'([^']+)'/gm))
    found.push({ from: file, specifier: match[1]!, loose: false })
  for (const match of text.matchAll(/\bimport\('([^']+)'\)/g))
    found.push({ from: file, specifier: match[1]!, loose: true })
  return found
}

function importErrors(source: string, { from, specifier, loose }: Import): string[] {
  const here = relative(source, from)
  const storey = storeyOf(here)
  const errors: string[] = []
  if (rank(storey) < 0) errors.push(`${here}: the folder "${storey}" has no place in the house`)
  if (!specifier.startsWith('.')) {
    for (const rule of PACKAGE_RULES)
      if (rule.pattern.test(specifier) && !rule.only.includes(storey) && !(loose && rule.typesAnywhere))
        errors.push(`${here}: imports ${specifier}; ${rule.why}`)
    return errors
  }
  const there = relative(source, resolve(dirname(from), specifier))
  if (there.startsWith('..')) return errors
  const target = storeyOf(there)
  if (target !== storey) {
    if (rank(target) < rank(storey)) errors.push(`${here}: imports ${there}, which is above it`)
    if (!isFace(there)) errors.push(`${here}: imports ${there} past the face of "${target}" (its index.ts)`)
  } else if (NESTED.includes(storey)) {
    const mine = here.split('/')
    const theirs = there.split('/')
    const isCommon = COMMON.includes(`${theirs[0]}/${theirs[1]}`)
    if (mine.length > 2 && theirs.length > 2 && mine[1] !== theirs[1] && !isCommon)
      errors.push(`${here}: imports ${there}; "${mine[1]}" and "${theirs[1]}" do not know each other`)
  }
  return errors
}

/** The face of a folder is its index.ts. */
function isFace(path: string): boolean {
  return /^[^/]+\/index\.ts$/.test(path)
}

function storeyOf(path: string): string {
  return path.split('/')[0]!
}

function rank(storey: string): number {
  return STOREYS.indexOf(storey as (typeof STOREYS)[number])
}

/** Files that import each other in a circle. */
function circles(source: string, imports: readonly Import[]): string[] {
  const edges = new Map<string, string[]>()
  for (const each of imports) {
    if (each.loose || !each.specifier.startsWith('.')) continue
    const target = resolve(dirname(each.from), each.specifier)
    edges.set(each.from, [...(edges.get(each.from) ?? []), target])
  }
  const errors: string[] = []
  const state = new Map<string, 'open' | 'done'>()
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === 'done') return
    if (state.get(file) === 'open') {
      const circle = [...path.slice(path.indexOf(file)), file].map(each => relative(source, each))
      errors.push(`a circle: ${circle.join(' -> ')}`)
      return
    }
    state.set(file, 'open')
    for (const next of edges.get(file) ?? []) visit(next, [...path, file])
    state.set(file, 'done')
  }
  for (const file of edges.keys()) visit(file, [])
  return errors
}
