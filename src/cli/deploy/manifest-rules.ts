import { EVENT_FORMATS, isName } from '../../core/index.ts'
import { nearest } from '../nearest.ts'

/** One mistake in a manifest: where, what, and perhaps what was meant. */
export interface ManifestProblem {
  readonly path: readonly (string | number)[]
  readonly detail: string
  readonly hint?: string
}

type Path = readonly (string | number)[]
type Rule = (value: unknown, path: Path) => ManifestProblem[]

/** Everything that is wrong with a parsed manifest; an empty list when nothing is. Pure. */
export function checkManifest(value: unknown): ManifestProblem[] {
  return MANIFEST(value, [])
}

const MAX_INT = Number.MAX_SAFE_INTEGER

const text: Rule = (value, path) =>
  typeof value === 'string' ? [] : [{ path, detail: `must be text, not ${kindOf(value)}` }]

const yesOrNo: Rule = (value, path) =>
  typeof value === 'boolean' ? [] : [{ path, detail: `must be true or false, not ${kindOf(value)}` }]

const name: Rule = (value, path) =>
  typeof value === 'string' && isName(value)
    ? []
    : [
        {
          path,
          detail:
            'is not a name: use 1 to 63 letters, digits, "-", "_" or ".", beginning with a letter or digit',
        },
      ]

function oneOf(...choices: readonly string[]): Rule {
  return (value, path) =>
    choices.includes(String(value))
      ? []
      : [{ path, detail: `must be ${choices.map(choice => `"${choice}"`).join(' or ')}` }]
}

function integer(min: number, max = MAX_INT): Rule {
  return (value, path) => {
    if (Number.isInteger(value) && Number(value) >= min && Number(value) <= max) return []
    return [
      {
        path,
        detail: `must be a whole number of ${max === MAX_INT ? `${min} or more` : `${min} to ${max}`}, not ${shown(value)}`,
      },
    ]
  }
}

function number(min: number, max: number): Rule {
  return (value, path) =>
    typeof value === 'number' && value >= min && value <= max
      ? []
      : [{ path, detail: `must be a number from ${min} to ${max}, not ${shown(value)}` }]
}

function listOf(rule: Rule): Rule {
  return (value, path) =>
    Array.isArray(value)
      ? value.flatMap((item, i) => rule(item, [...path, i]))
      : [{ path, detail: `must be a list, not ${kindOf(value)}` }]
}

function mapOf(rule: Rule): Rule {
  return (value, path) =>
    isRecord(value)
      ? Object.entries(value).flatMap(([key, item]) => rule(item, [...path, key]))
      : [{ path, detail: `must be a set of names and values, not ${kindOf(value)}` }]
}

function record(fields: Readonly<Record<string, Rule>>, required: readonly string[] = []): Rule {
  return (value, path) => {
    if (!isRecord(value)) return [{ path, detail: `must be a set of fields, not ${kindOf(value)}` }]
    const missing = required
      .filter(key => !(key in value))
      .map(key => ({ path: [...path, key], detail: 'is missing' }))
    const wrong = Object.entries(value).flatMap(([key, item]) => {
      const rule = Object.hasOwn(fields, key) ? fields[key] : undefined
      return rule ? rule(item, [...path, key]) : [unknownField(path, key, Object.keys(fields))]
    })
    return [...missing, ...wrong]
  }
}

function unknownField(path: Path, key: string, known: readonly string[]): ManifestProblem {
  const meant = nearest(key, known)
  return {
    path: [...path, key],
    detail: meant
      ? `is not a field; did you mean "${meant}"?`
      : `is not a field; there are ${known.join(', ')}`,
  }
}

/** YAML reads `yes` and `8080` as something else than text, which surprises: say how to write it. */
const configValue: Rule = (value, path) =>
  typeof value === 'string'
    ? []
    : [
        {
          path,
          detail: `must be text, not ${kindOf(value)}`,
          hint: `Put the value into quotes: "${String(value)}".`,
        },
      ]

const cors = record({
  origins: listOf(text),
  methods: listOf(text),
  headers: listOf(text),
  exposeHeaders: listOf(text),
  credentials: yesOrNo,
  maxAgeS: integer(0),
})

const destination = record(
  {
    kind: oneOf('function', 'webhook', 'topic'),
    app: name,
    function: name,
    alias: text,
    url: text,
    topic: name,
  },
  ['kind'],
)

const access = oneOf('public', 'private')

const triggerPath: Rule = (value, path) =>
  typeof value === 'string' && value.startsWith('/') ? [] : [{ path, detail: 'must begin with "/"' }]

const anything: Rule = () => []

const route = record(
  { name, path: triggerPath, methods: listOf(text), host: text, stripPrefix: yesOrNo, access, cors },
  ['name', 'path'],
)

/** What a kind wants to know is the server's to check. */
const source = record(
  { name, kind: text, format: oneOf(...EVENT_FORMATS), config: mapOf(anything), paused: yesOrNo },
  ['name', 'kind'],
)

const trigger: Rule = (value, path) => (isRecord(value) && 'kind' in value ? source : route)(value, path)

const contractSettings = record(
  {
    name: text,
    port: integer(1, 65_535),
    readyPath: triggerPath,
    startMs: integer(1),
    functionName: text,
    code: text,
    interfaceVersion: integer(1, 2),
  },
  ['name'],
)

const contract: Rule = (value, path) => (typeof value === 'string' ? [] : contractSettings(value, path))

const MANIFEST = record({
  $schema: text,
  name,
  app: name,
  description: text,
  environment: name,
  contract,
  image: text,
  imageSecret: text,
  entry: text,
  access,
  config: mapOf(configValue),
  secrets: listOf(name),
  limits: record({
    memoryMiB: integer(1),
    cpuMillicores: integer(1),
    timeoutMs: integer(1),
    concurrency: integer(1),
    tmpMiB: integer(0),
    processesMax: integer(1),
    openFilesMax: integer(1),
  }),
  scaling: record({ instancesMin: integer(0), instancesMax: integer(1), idleMs: integer(0) }),
  network: oneOf('none', 'outbound'),
  isolation: oneOf('process', 'gvisor'),
  tokenRoles: listOf(text),
  async: record({
    retry: record({
      attemptsMax: integer(1),
      delayMs: integer(0),
      factor: number(1, 100),
      delayMsMax: integer(0),
      jitter: number(0, 1),
      on: listOf(oneOf('error', 'status', 'timeout', 'crash', 'platform')),
    }),
    maxAgeMs: integer(1),
    resultKeptMs: integer(0),
    concurrencyMax: integer(1),
    queuedMax: integer(0),
    paused: yesOrNo,
    onSuccess: destination,
    onFailure: destination,
  }),
  triggers: listOf(trigger),
})

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function kindOf(value: unknown): string {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'a set of fields' : `the ${typeof value} ${shown(value)}`
}

function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? 'nothing'
  return json.length > 40 ? `${json.slice(0, 40)}…` : json
}
