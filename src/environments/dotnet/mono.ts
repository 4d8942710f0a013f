import { existsSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { outputOf } from '../probing.ts'
import type { Toolchain } from './toolchain.ts'

const MAJOR_MIN = 5
const LIBRARIES = '/usr/lib/mono/4.5'

/** Beside those that the compiler knows by itself; which of them are there depends on the packages that are installed. */
const ASSEMBLIES = [
  'Microsoft.CSharp',
  'System.ComponentModel.DataAnnotations',
  'System.Data',
  'System.IO.Compression',
  'System.Net.Http',
  'System.Numerics',
  'System.Runtime.Serialization',
  'System.Web.Extensions',
  'System.Xml.Linq',
]

/** Mono with its compiler, where `program` is one: Debian has them as mono-mcs. */
export async function findMono(program: string): Promise<Toolchain | undefined> {
  const version = /^Mono JIT compiler version (\S+)/.exec((await outputOf(program, ['--version'])) ?? '')?.[1]
  const compiler = join(LIBRARIES, 'mcs.exe')
  if (version === undefined || Number.parseInt(version, 10) < MAJOR_MIN || !existsSync(compiler))
    return undefined
  const path = await realpath(program)
  const present = ASSEMBLIES.filter(name => existsSync(join(LIBRARIES, `${name}.dll`)))
  return {
    kind: 'mono',
    version: `Mono ${version}`,
    runtime: [path, '--debug'], // stacks have lines then
    compiler: [path, compiler],
    options: ['-debug', ...present.map(name => `-r:${name}.dll`)],
    env: {},
    outside: undefined,
    beside: {},
  }
}
