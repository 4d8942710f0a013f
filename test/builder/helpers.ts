import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { TestContext } from 'node:test'
import { FakeBackend } from '../../src/backends/fake/index.ts'
import type { RunResult, RunSpec } from '../../src/backends/index.ts'
import {
  type BuildEvent,
  type BuilderOptions,
  createBuilder,
  type OwnedBuilder,
  type ReceivedPackage,
} from '../../src/builder/index.ts'
import type { BuildPlan, BuildStep, Environment } from '../../src/environments/index.ts'
import { type RawEntry, rawTar } from './archives.ts'

export const never: AbortSignal = new AbortController().signal

/** A builder in a folder of its own, closed and removed with the test. */
export async function makeBuilder(
  t: TestContext,
  options: Partial<BuilderOptions> = {},
): Promise<OwnedBuilder & { readonly path: string }> {
  const path = options.path ?? (await mkdtemp(join(tmpdir(), 'atelier-builder-')))
  const builder = await createBuilder({
    backend: shellBackend(),
    environments: new Map(),
    registryEnvironment: { PATH: '/nowhere', HOME: '/nowhere' },
    ...options,
    path,
  })
  t.after(async () => {
    await builder.close()
    await rm(path, { recursive: true, force: true })
  })
  return Object.assign(builder, { path })
}

export function send(
  builder: OwnedBuilder,
  bytes: Uint8Array | string,
  fileName: string,
): Promise<ReceivedPackage> {
  return builder.receive(Readable.from([Buffer.from(bytes)]), fileName, never)
}

/** A backend whose `run` really runs the command, in the work folder of this machine and without any isolation. */
export function shellBackend(seen: RunSpec[] = [], signal?: () => AbortSignal | undefined): FakeBackend {
  return new FakeBackend({
    knobs: {
      onRun: spec => {
        seen.push(spec)
        return runHere(spec, signal?.())
      },
    },
  })
}

function runHere(spec: RunSpec, signal: AbortSignal | undefined): Promise<RunResult> {
  const { promise, resolve, reject } = Promise.withResolvers<RunResult>()
  const [program, ...args] = spec.command
  const child = spawn(program!, args, {
    cwd: spec.workPath,
    env: { PATH: process.env['PATH'], ...spec.env },
    ...(signal ? { signal, killSignal: 'SIGKILL' } : {}),
  })
  child.stdout.on('data', (chunk: Buffer) => spec.onOutput('stdout', chunk))
  child.stderr.on('data', (chunk: Buffer) => spec.onOutput('stderr', chunk))
  child.on('error', thrown =>
    signal?.aborted ? resolve({ code: undefined, signal: 'SIGKILL', reason: 'cancelled' }) : reject(thrown),
  )
  child.on('close', (code, name) =>
    resolve({
      code: code ?? undefined,
      signal: name ?? undefined,
      reason: signal?.aborted ? 'cancelled' : 'exit',
    }),
  )
  return promise
}

/** A step that runs a line of shell. */
export function shell(title: string, line: string): BuildStep {
  return { title, command: ['/bin/sh', '-c', line], env: {} }
}

/** A small language: `main.txt` is the program, `deps.txt` its lock file, `libs` what installing fills. */
export function textEnvironment(plan: Partial<BuildPlan> = {}): Environment {
  return {
    name: 'text',
    description: 'for tests',
    contract: 'frames',
    entryHelp: 'a file',
    probe: async () => ({
      ready: true,
      runtimeVersion: '1',
      revision: 'r1',
      launch: { environment: 'text', command: ['/bin/true'], env: {}, mounts: [] },
    }),
    detects: files => files.includes('main.txt'),
    defaultEntry: files => files.find(file => file === 'main.txt'),
    buildPlan: files => ({
      lockFiles: files.includes('deps.txt') ? ['deps.txt'] : [],
      dependencySteps: [],
      dependencyFolder: files.includes('deps.txt') ? 'libs' : undefined,
      checkSteps: [],
      ...plan,
    }),
  }
}

/** What the builds of tests are made of. */
export const MAIN: RawEntry = { name: 'main.txt', body: 'hello' }
export const DEPS: RawEntry = { name: 'deps.txt', body: 'left==1.0' }

/** The language of tests, with this plan. */
export function only(plan: Partial<BuildPlan>): ReadonlyMap<string, ReturnType<typeof textEnvironment>> {
  return new Map([['text', textEnvironment(plan)]])
}

/** Sends the entries and builds them. */
export async function build(
  builder: OwnedBuilder,
  entries: readonly RawEntry[],
  options: { scope?: string; events?: BuildEvent[]; signal?: AbortSignal } = {},
) {
  const { digest } = await send(builder, rawTar(entries), 'a.tar')
  const { scope, events = [], signal = never } = options
  const result = await builder.build(
    {
      packageDigest: digest,
      environment: 'text',
      entry: undefined,
      ...(scope === undefined ? {} : { cacheScope: scope }),
      onEvent: event => events.push(event),
    },
    signal,
  )
  return { ...result, packageDigest: digest, folder: await builder.locate(result.bundleDigest) }
}
