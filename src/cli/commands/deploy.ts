import { readFile, stat } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { checkName } from '../../core/index.ts'
import { failureFromProblem } from '../client/problem.ts'
import type { WireDeployEvent, WireDeployResult } from '../client/wire.ts'
import type { Context } from '../context.ts'
import { type Manifest, readManifest } from '../deploy/manifest.ts'
import { multipart } from '../deploy/multipart.ts'
import { nameFromPath, packSource, type SourcePackage } from '../deploy/pack.ts'
import { type DeploySettings, settingsFrom } from '../deploy/settings.ts'
import { applyTriggers } from '../deploy/triggers.ts'
import { CliFailure, EXIT, usage } from '../failure.ts'
import type { Options } from '../options.ts'
import { Progress } from '../output/progress.ts'
import { APP_DEFAULT } from '../reference.ts'
import type { CommandCall, CommandSpec } from '../spec.ts'
import { showBytes } from '../units.ts'

export const deploy: CommandSpec = {
  name: 'deploy',
  summary: 'Deploy a folder or a file and get a URL',
  details: `Sends the source code to the server, which installs its dependencies, checks it and publishes a version; calls then go to it.
When anything fails, what was live stays live. Ctrl-C cancels the deploy on the server.

A folder may describe itself in atelier.json or atelier.yaml; options win over it. What is given nowhere is taken from the
version that is live, then from the defaults. Not sent: node_modules, .git, __pycache__, .venv, .env files, and what
.atelierignore names (in the language of .gitignore, which is not read itself, since what a build makes is often in it).`,
  args: [
    {
      syntax: '[source]',
      help: 'Folder, source file, or zip/tar archive (default: this folder)',
      completes: 'file',
    },
  ],
  options: [
    { flags: '--name <name>', help: 'Name of the function (else from the manifest, else from the folder)' },
    { flags: '--app <app>', help: 'App it belongs to (default: "default")' },
    { flags: '-m, --description <text>', help: 'What changed; kept with the version' },
    {
      flags: '--env <environment>',
      help: 'Language environment, such as nodejs or python (else found out from the files)',
    },
    {
      flags: '--image <reference>',
      help: 'A container image to run instead of source code (needs Docker or Podman on the server)',
    },
    { flags: '--image-secret <name>', help: "The secret with USER:PASSWORD for the image's registry" },
    { flags: '--entry <entry>', help: 'What to call: FILE or FILE#EXPORT (Node), MODULE:FUNCTION (Python)' },
    {
      flags: '--contract <name>',
      help: 'How the platform talks to the code, such as http for a server of its own (else as the environment does)',
    },
    { flags: '--port <number>', help: 'Where such a server listens (else it is told by PORT)' },
    {
      flags: '--config <KEY=VALUE>',
      help: 'An environment variable for the code; may be repeated',
      repeats: true,
    },
    {
      flags: '--env-file <file>',
      help: 'Environment variables from a file of KEY=VALUE lines; --config wins',
    },
    { flags: '--secret <name>', help: 'A secret that the code may read; may be repeated', repeats: true },
    { flags: '--public', help: 'Anybody may call it' },
    { flags: '--private', help: 'Only calls with a token of the project get through' },
    { flags: '--memory <size>', help: 'Memory of an instance: 128, 256Mi, 1Gi' },
    { flags: '--cpu <amount>', help: 'CPU of an instance: 500m, 0.5, 2' },
    { flags: '--timeout <time>', help: 'Longest time of a call: 500ms, 30s, 5m' },
    { flags: '--concurrency <calls>', help: 'Calls that one instance may hold at once' },
    { flags: '--min <instances>', help: 'Instances to keep ready' },
    { flags: '--max <instances>', help: 'Most instances at once' },
    { flags: '--idle <time>', help: 'Longest time an instance is kept without calls' },
    { flags: '--network <mode>', help: 'What the code may reach', choices: ['none', 'outbound'] },
    { flags: '--isolation <tier>', help: 'What keeps the code apart', choices: ['process', 'gvisor'] },
    {
      flags: '--token-role <name...>',
      help: 'A role that you lend to the code: calls are given a token with it',
    },
    { flags: '--publish-only', help: 'Publish a version, but let calls go on to the one that is live' },
  ],
  examples: [
    ['atelier deploy', 'the folder you are in'],
    ['atelier deploy examples/thumbnail', 'another folder'],
    ['atelier deploy hello.mjs --public', 'a single file that anybody may call'],
    ['atelier deploy --memory 512Mi --timeout 2m --concurrency 10', 'with other limits'],
    ['atelier deploy --config MODE=fast --secret API_KEY', 'with configuration and a secret'],
    ['atelier deploy --image registry.example/team/app:1 --port 8080', 'a container image'],
    ['atelier deploy -o json | jq -r .url', 'the URL, for a script'],
  ],
  async run({ context, args, options }: CommandCall) {
    const source = resolve(args[0] ?? '.')
    const shown = args[0] ?? '.'
    const manifest = await manifestOf(source, shown)
    const settings = settingsFrom(manifest, await variablesFrom(options), options)
    const app = options.text('app') ?? manifest.app ?? APP_DEFAULT
    const name = options.text('name') ?? manifest.name ?? nameFromPath(nameless(settings.image) ?? source)
    if (name === undefined) throw usage(`${shown} gives no name for a function`, 'Give one with --name.')
    checkName(app, 'app')
    checkName(name, 'function')

    const progress = new Progress(context)
    try {
      const result = await send(context, progress, { source, app, name, settings })
      progress.done()
      if (manifest.triggers?.length) await applyTriggers(await context.client(), app, name, manifest.triggers)
      await context.result(result, () => {
        context.note(outcome(result, app, name, settings.publishOnly === true))
        return [result.url]
      })
    } catch (error) {
      progress.failed()
      if (context.signal.aborted) context.note('The deploy was cancelled; what was live stays live.')
      throw error
    }
  },
}

interface Sending {
  readonly source: string
  readonly app: string
  readonly name: string
  readonly settings: DeploySettings
}

async function send(
  context: Context,
  progress: Progress,
  { source, app, name, settings }: Sending,
): Promise<WireDeployResult> {
  const pack = sendsFiles(settings) ? await packed(progress, source) : undefined
  const client = await context.client()
  progress.step(`send to ${client.login.url}`)
  let sent = 0
  const body = multipart(settings, pack, count => {
    sent += count
    progress.update(`send ${showBytes(sent)} to ${client.login.url}`)
  })
  const events = client.lines<WireDeployEvent>('POST', `/v1/apps/${app}/functions/${name}/deploy`, {
    headers: { 'content-type': body.contentType },
    body: () => body.open(),
  })
  for await (const event of events) {
    if (event.kind === 'stage') progress.step(event.detail ? `${event.stage}: ${event.detail}` : event.stage)
    else if (event.kind === 'log') progress.log(event.text)
    else if (event.kind === 'warning') progress.warn(event.text)
    else if (event.kind === 'error') throw failureFromProblem(event.problem)
    else if (event.kind === 'result') {
      const { kind: _, ...result } = event
      return result
    }
  }
  throw new CliFailure(EXIT.failed, 'the server ended the deploy without a result', {
    hint: `See what is live with "atelier version list ${app}/${name}".`,
  })
}

/** An image is all that runs, unless there is a runtime in it that is given its code. */
function sendsFiles({ image, contract }: DeploySettings): boolean {
  const name = typeof contract === 'object' ? contract.name : contract
  return image === undefined || name === 'fission' || name === 'qinling'
}

async function packed(progress: Progress, source: string): Promise<SourcePackage> {
  progress.step(`pack ${relative(process.cwd(), source) || '.'}`)
  const pack = await packSource(source)
  const files = pack.fileCount === 1 ? '1 file' : `${pack.fileCount} files`
  progress.update(`pack ${files}, ${showBytes(pack.sizeBytes)}`)
  return pack
}

/** What `--env-file` names, read as `node --env-file` reads it. */
async function variablesFrom(options: Options): Promise<Readonly<Record<string, string>>> {
  const file = options.text('envFile')
  return file === undefined ? {} : (parseEnv(await readFile(file, 'utf8')) as Record<string, string>)
}

/** An image's reference without tag and digest, of which its last part may name the function. */
function nameless(image: string | undefined): string | undefined {
  return image?.replace(/@.*$/, '').replace(/:[^/:]*$/, '')
}

/** `undefined` for a folder that is none. A single file has no manifest beside it that could be meant. */
async function manifestOf(source: string, shown: string): Promise<Manifest> {
  const stats = await stat(source).catch(() => undefined)
  if (!stats)
    throw new CliFailure(EXIT.notFound, `${shown} does not exist`, {
      hint: 'Give the folder or file to deploy: atelier deploy FOLDER.',
    })
  return stats.isDirectory() ? await readManifest(source) : {}
}

function outcome(result: WireDeployResult, app: string, name: string, publishOnly: boolean): string {
  const version = `${app}/${name} version ${result.version.number}`
  if (!result.created) return `Nothing changed: ${version} is this already.`
  if (publishOnly)
    return `${version} is published; make it live with "atelier rollback ${app}/${name} ${result.version.number}".`
  const { access } = result.function
  return access === 'private'
    ? `${version} is live. It is private: calls need a token, unless it is deployed with --public.`
    : `${version} is live.`
}
