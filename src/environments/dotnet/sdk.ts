import { globSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { outputOf } from '../probing.ts'
import type { Toolchain } from './toolchain.ts'

const MAJOR_MIN = 6

/** What a small, quick start needs; compare the options of Java's. */
const RUNTIME_PROPERTIES = {
  'System.GC.Server': false,
  'System.GC.Concurrent': false,
  'System.GC.ConserveMemory': 5,
  'System.Globalization.Invariant': true, // no ICU on most servers
  'System.Runtime.TieredPGO': false,
}

/** The newest SDK of .NET that `program` has, with its compiler and the reference assemblies of its own version. */
export async function findSdk(program: string): Promise<Toolchain | undefined> {
  const installed = /^(\d+)\.\S+ \[.+\]$/
  const lines = ((await outputOf(program, ['--list-sdks'])) ?? '')
    .split('\n')
    .filter(line => installed.test(line))
  const sdks = lines.map(line => {
    const [version = '', folder = ''] = line.split(' [')
    return { version, major: Number.parseInt(version, 10), folder: folder.slice(0, -1) }
  })
  for (const { version, major, folder } of sdks.toReversed()) {
    if (major < MAJOR_MIN) continue
    const root = dirname(folder)
    const compiler = join(folder, version, 'Roslyn/bincore/csc.dll')
    const [references] = globSync(`packs/Microsoft.NETCore.App.Ref/*/ref/net${major}.0`, { cwd: root })
    if (references === undefined || globSync(compiler).length === 0) continue
    const assemblies = globSync('*.dll', { cwd: join(root, references) }).sort()
    const dotnet = join(root, 'dotnet')
    return {
      kind: 'sdk',
      version: `.NET SDK ${version}`,
      runtime: [dotnet, 'exec'],
      compiler: [dotnet, 'exec', compiler, '-noconfig', '-nostdlib+'],
      options: [
        '-debug:embedded',
        '-langversion:latest',
        ...assemblies.map(name => `-r:"${join(root, references, name)}"`),
      ],
      env: { DOTNET_EnableDiagnostics: '0', DOTNET_NOLOGO: '1', DOTNET_CLI_TELEMETRY_OPTOUT: '1' },
      outside: `${root}/`.startsWith('/usr/') ? undefined : root,
      beside: { 'Atelier.runtimeconfig.json': runtimeConfig(major) },
    }
  }
  return undefined
}

function runtimeConfig(major: number): string {
  const framework = { name: 'Microsoft.NETCore.App', version: `${major}.0.0` }
  const options = { tfm: `net${major}.0`, framework, configProperties: RUNTIME_PROPERTIES }
  return JSON.stringify({ runtimeOptions: options })
}
