import { execFile } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { keyOfFiles, madeOnce } from '../made.ts'
import { API_POM, API_VERSION } from './maven.ts'

const run = promisify(execFile)

const MAKE_MS_MAX = 120_000
// What the shim needs of the JDK's inside: descriptor 3, and its copy of the environment.
const MANIFEST =
  'Main-Class: atelier.shim.Main\nAdd-Opens: java.base/java.io java.base/java.lang java.base/java.util\n'

/**
 * Compiles the shim, and keeps the classes that it loads in a shared archive: an instance then starts in half the time. The
 * archive holds only for the path that the jar has, so sandboxes show the folder under its own name.
 */
export async function makeShim(
  sources: string,
  home: string,
  version: string,
  options: readonly string[],
): Promise<{ readonly folder: string; readonly key: string }> {
  const key = await keyOfFiles(sources, home, version, API_POM, ...options)
  const folder = await madeOnce('java', key, async made => {
    const classes = await mkdtemp(join(tmpdir(), 'atelier-javac-'))
    try {
      const files = globSync('**/*.java', { cwd: sources }).map(file => join(sources, file))
      await tool(home, 'javac', ['-encoding', 'UTF-8', '-parameters', '-d', classes, ...files])
      await writeFile(join(classes, 'manifest'), MANIFEST)
      await tool(home, 'jar', [
        'cfm',
        join(made, 'shim.jar'),
        join(classes, 'manifest'),
        '-C',
        classes,
        'atelier',
      ])
      const rehearsal = join(made, 'rehearsal', 'classes')
      await mkdir(rehearsal, { recursive: true })
      await copyFile(join(classes, 'Rehearsed.class'), join(rehearsal, 'Rehearsed.class'))
    } finally {
      await rm(classes, { recursive: true, force: true })
    }
    await offerToMaven(made)
  })
  await archive(folder, home, options)
  return { folder, key }
}

/** Made when the jar has its final path. A JDK that cannot make one starts more slowly, which is no reason not to run. */
async function archive(folder: string, home: string, options: readonly string[]): Promise<void> {
  await madeOnceBeside(join(folder, 'shim.jsa'), temporary =>
    tool(home, 'java', [
      ...options,
      `-XX:ArchiveClassesAtExit=${temporary}`,
      '-jar',
      join(folder, 'shim.jar'),
      'rehearse',
    ]),
  ).catch(() => {})
}

async function madeOnceBeside(path: string, make: (temporary: string) => Promise<void>): Promise<void> {
  if (existsSync(path)) return
  const temporary = `${path}.${process.pid}`
  try {
    await make(temporary)
    await rename(temporary, path)
  } finally {
    await rm(temporary, { force: true })
  }
}

/** A repository of one artifact, so that a pom.xml can name what functions import of the platform. */
async function offerToMaven(made: string): Promise<void> {
  const folder = join(made, 'repository', 'atelier', 'atelier-api', API_VERSION)
  await mkdir(folder, { recursive: true })
  await copyFile(join(made, 'shim.jar'), join(folder, `atelier-api-${API_VERSION}.jar`))
  await writeFile(join(folder, `atelier-api-${API_VERSION}.pom`), API_POM)
}

async function tool(home: string, name: string, args: readonly string[]): Promise<void> {
  await run(join(home, 'bin', name), [...args], { timeout: MAKE_MS_MAX, cwd: '/' })
}
