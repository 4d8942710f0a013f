import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { dotnetEnvironment } from '../../src/environments/index.ts'
import { ServerProcess } from '../support/server-process.ts'
import { folderOf } from './folder-of.ts'

const status = await dotnetEnvironment.probe()
const skip = !existsSync('/usr/bin/bwrap')
  ? 'bubblewrap is not installed'
  : status.ready
    ? false
    : status.reason
const onMono = skip || (existsSync('/usr/bin/mcs') ? false : 'mono-mcs is not installed')

const HELLO =
  'using Atelier; public class Function { public string Handle(Request request) { return "hello"; } }'
const HUNGRY = `using System.Collections.Generic; public class Function { static List<byte[]> all = new List<byte[]>();
  public string Handle() { while (true) { var more = new byte[1 << 20]; for (int i = 0; i < more.Length; i += 512) more[i] = 1; all.Add(more); } } }`

let server: ServerProcess
before(async () => {
  if (!skip) server = await ServerProcess.start()
})
after(() => server?.dispose())

test('C# sources are compiled, and run within the memory that every function has', { skip }, async t => {
  const folder = folderOf(t, { 'Function.cs': HELLO })
  const { code, stderr } = await server.cli('deploy', folder, '--name', 'cs-hello')
  assert.equal(code, 0, stderr)
  assert.equal((await server.cli('invoke', 'cs-hello')).stdout, 'hello')
})

test('a library that the package brings is found by the compiler and by the code', {
  skip: onMono,
}, async t => {
  const library = folderOf(t, {
    'Greeting.cs':
      'namespace Words { public static class Greeting { public static string Of(string who) { return "Hello from the " + who + "!"; } } }',
  })
  execFileSync('mcs', ['-target:library', '-out:Words.dll', 'Greeting.cs'], { cwd: library })
  const folder = folderOf(t, {
    'Function.cs':
      'public class Function { public string Handle() { return Words.Greeting.Of("library"); } }',
    'lib/Words.dll': readFileSync(join(library, 'Words.dll')),
  })
  const { code, stderr } = await server.cli('deploy', folder, '--name', 'cs-library')
  assert.equal(code, 0, stderr)
  assert.equal((await server.cli('invoke', 'cs-library')).stdout, 'Hello from the library!')
})

test('a function for Fission is deployed as it is', { skip }, async t => {
  const folder = folderOf(t, {
    'func.cs': `using Fission.DotNetCore.Api;
public class FissionFunction
{
    public string Execute(FissionContext context)
    {
        context.Logger.WriteInfo("executing.. {0}", context.Arguments["text"]);
        return (string)context.Arguments["text"];
    }
}`,
  })
  const deployed = await server.cli('deploy', folder, '--name', 'cs-fission', '--entry', 'FissionFunction')
  assert.equal(deployed.code, 0, deployed.stderr)
  assert.equal((await server.cli('invoke', 'cs-fission', '--path', '/?text=hi')).stdout, 'hi')
  assert.match((await server.cli('logs', 'cs-fission')).stdout, /executing\.\. hi/)
})

test('a C# function that holds more than its memory ends with the reason', { skip }, async t => {
  const folder = folderOf(t, { 'Function.cs': HUNGRY })
  assert.equal((await server.cli('deploy', folder, '--name', 'cs-hungry')).code, 0)
  const { code, stderr } = await server.cli('invoke', 'cs-hungry')
  assert.notEqual(code, 0)
  assert.match(stderr, /memory/i)
})

for (const [what, files, says] of [
  [
    'C# that does not compile',
    { 'Function.cs': 'public class Function {\n  public string Handle() { return 1 }\n}' },
    /Function\.cs\(2,\d+\): error CS\d+: .*;/,
  ],
  ['a C# class without a handler', { 'Function.cs': 'public class Function {}' }, /no handler.*Request/],
  [
    'a package without the class of its entry',
    { 'Function.cs': 'public class Other {}', 'Other2.cs': 'class X {}' },
    /the class Function, and the package has no such public class/,
  ],
  [
    'a base class from a file that is no library',
    { 'lib/broken.dll': 'no library', 'Function.cs': 'public class Function : Words.Base {}' },
    /Function\.cs\(1,\d+\): error CS0246: .*Words/,
  ],
] as const)
  test(`${what} fails the build and says why`, { skip }, async t => {
    const folder = folderOf(t, files)
    const { code, stderr } = await server.cli('deploy', folder, '--name', 'cs-wrong')
    assert.notEqual(code, 0)
    assert.match(stderr, says)
  })

test('a project with packages of NuGet says that it needs the SDK', {
  skip: onMono || (status.ready && !status.runtimeVersion.startsWith('Mono') ? 'the SDK is here' : false),
}, async t => {
  const project =
    '<Project Sdk="Microsoft.NET.Sdk"><ItemGroup><PackageReference Include="A" /></ItemGroup></Project>'
  const folder = folderOf(t, { 'Function.cs': HELLO, 'Words.csproj': project })
  const { code, stderr } = await server.cli('deploy', folder, '--name', 'cs-wrong')
  assert.notEqual(code, 0)
  assert.match(stderr, /Words\.csproj asks for packages of NuGet, which need the SDK of \.NET/)
})
