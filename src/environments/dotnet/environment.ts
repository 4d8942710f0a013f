import { fileURLToPath } from 'node:url'
import type { BuildPlan, BuildStep, Environment, EnvironmentStatus } from '../environment.ts'
import { firstAnswer, probedOnce } from '../probing.ts'
import { makeShim } from './make.ts'
import { findMono } from './mono.ts'
import { findSdk } from './sdk.ts'
import type { Toolchain } from './toolchain.ts'

const SDKS = ['/usr/bin/dotnet', '/usr/share/dotnet/dotnet', '/usr/local/share/dotnet/dotnet', 'dotnet']
const MONOS = ['/usr/bin/mono', '/usr/bin/mono-sgen']
const ENTRY_CLASSES = ['Function', 'Handler', 'FissionFunction', 'App', 'Program']
const PUBLISHED = '.atelier/publish'

const sources = fileURLToPath(new URL('./source', import.meta.url))

let known: { readonly toolchain: Toolchain; readonly made: string } | undefined

/** C#, by the SDK of .NET where one is installed, else by Mono. */
export const dotnetEnvironment: Environment = {
  name: 'dotnet',
  description: 'C#: sources, projects and libraries, on .NET or Mono',
  contract: 'frames',
  entryHelp: 'Class, Class:Method or Class:Method:convention; conventions: plain (default), fission',
  warmsWhenUsed: true,
  probe: probedOnce(look),
  detects: files => files.some(file => /^[^/]+\.csproj$|\.cs$/.test(file)),
  defaultEntry,
  buildPlan,
}

async function look(): Promise<EnvironmentStatus> {
  const toolchain = (await firstAnswer(SDKS, findSdk)) ?? (await firstAnswer(MONOS, findMono))
  if (toolchain === undefined)
    return {
      ready: false,
      reason:
        'The SDK of .NET 6 or newer is needed, or Mono with its compiler, and neither is here: install the package mono-mcs, or the SDK as dotnet in the PATH.',
    }
  try {
    const { folder, key } = await makeShim(sources, toolchain)
    known = { toolchain, made: folder }
    return {
      ready: true,
      runtimeVersion: toolchain.version,
      revision: key,
      launch: {
        environment: 'dotnet',
        command: [...toolchain.runtime, `${folder}/Atelier.dll`],
        env: toolchain.env,
        mounts: mounts(),
      },
    }
  } catch (error) {
    return { ready: false, reason: `The shim for C# could not be compiled: ${String(error)}` }
  }
}

/** The shim under its own path, and an SDK that is not in /usr. */
function mounts(): { source: string; target: string }[] {
  const { made = '', toolchain } = known ?? {}
  const outside = toolchain?.outside
  return [
    { source: made, target: made },
    ...(outside === undefined ? [] : [{ source: outside, target: outside }]),
  ]
}

/** The class whose file has one of the usual names, or the only one that there is. */
function defaultEntry(files: readonly string[]): string | undefined {
  const classes = files
    .filter(file => file.endsWith('.cs') && !/(^|\/)(bin|obj|tests?|Properties)\//i.test(file))
    .map(file => file.slice(file.lastIndexOf('/') + 1, -'.cs'.length))
  const named = ENTRY_CLASSES.find(name => classes.includes(name))
  return named ?? (classes.length === 1 ? classes[0] : undefined)
}

function buildPlan(files: readonly string[], { entry }: { readonly entry: string }): BuildPlan {
  const { toolchain, made = '' } = known ?? {}
  const project = files.find(file => /^[^/]+\.csproj$/.test(file))
  const build = (title: string, ...more: readonly string[]): BuildStep =>
    step(title, [...(toolchain?.runtime ?? []), `${made}/Atelier.dll`, 'build', '/work', entry, ...more])
  if (project === undefined || toolchain?.kind !== 'sdk')
    return { lockFiles: [], dependencySteps: [], dependencyFolder: undefined, checkSteps: [build('compile')] }
  const [dotnet = 'dotnet'] = toolchain.runtime
  const publish = [dotnet, 'publish', project, '-c', 'Release', '-o', PUBLISHED, '--nologo', '-v', 'quiet']
  const settings = ['UseAppHost=false', `CustomAfterMicrosoftCommonTargets=${made}/Atelier.targets`]
  return {
    lockFiles: [project],
    dependencySteps: [
      {
        ...step('dotnet publish', [...publish, ...settings.map(each => `-p:${each}`)]),
        env: { ...toolchain.env, NUGET_PACKAGES: '/cache/nuget', DOTNET_CLI_HOME: '/tmp' },
      },
    ],
    dependencyFolder: undefined,
    checkSteps: [build('check the entry', `${PUBLISHED}/${project.slice(0, -'.csproj'.length)}.dll`)],
    keepsToolCache: true,
  }
}

function step(title: string, command: readonly string[]): BuildStep {
  return {
    title,
    command,
    env: known?.toolchain.env ?? {},
    mounts: mounts().map(mount => ({ ...mount, writable: false })),
  }
}
