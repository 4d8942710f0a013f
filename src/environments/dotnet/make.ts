import { execFile } from 'node:child_process'
import { globSync } from 'node:fs'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { keyOfFiles, madeOnce } from '../made.ts'
import type { Toolchain } from './toolchain.ts'

const run = promisify(execFile)

const MAKE_MS_MAX = 120_000

/** Lets a project of the SDK name the classes of the platform without saying where they are. */
const TARGETS = `<Project>
  <ItemGroup>
    <Reference Include="Atelier">
      <HintPath>$(MSBuildThisFileDirectory)Atelier.dll</HintPath>
      <Private>false</Private>
    </Reference>
  </ItemGroup>
</Project>
`

/** Compiles the shim, and puts beside it what it must know of the toolchain. */
export async function makeShim(
  sources: string,
  toolchain: Toolchain,
): Promise<{ readonly folder: string; readonly key: string }> {
  const key = await keyOfFiles(sources, JSON.stringify(toolchain), TARGETS)
  const folder = await madeOnce('dotnet', key, async made => {
    const files = globSync('**/*.cs', { cwd: sources }).map(file => join(sources, file))
    const assembly = join(made, 'Atelier.dll')
    const [program = '', ...first] = toolchain.compiler
    await writeFile(join(made, 'compiler'), toolchain.compiler.join('\n'))
    await writeFile(join(made, 'options.rsp'), toolchain.options.join('\n'))
    const options = ['-nologo', '-optimize+', '-codepage:65001', '-target:exe', `-out:${assembly}`]
    await run(program, [...first, `@${made}/options.rsp`, ...options, ...files], {
      timeout: MAKE_MS_MAX,
      cwd: '/',
      env: { ...process.env, ...toolchain.env },
    })
    for (const [name, text] of Object.entries(toolchain.beside)) await writeFile(join(made, name), text)
    await writeFile(join(made, 'Atelier.targets'), TARGETS)
    if (toolchain.kind === 'mono') await compileAhead(toolchain, made, assembly)
    await chmod(assembly, 0o644)
  })
  return { folder, key }
}

/** Mono then starts in a third of the time. It needs an assembler and a linker for it; without them it starts more slowly. */
async function compileAhead(toolchain: Toolchain, made: string, assembly: string): Promise<void> {
  const [program = ''] = toolchain.runtime
  const ahead = (source: string, target: string) =>
    run(program, [`--aot=outfile=${target}`, source], { timeout: MAKE_MS_MAX, cwd: made }).catch(() => {})
  await ahead(assembly, `${assembly}.so`)
}
