import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type RegistrySettings, readRegistrySettings } from './registry.ts'

/** The settings, and a folder with their files, which build sandboxes are shown. */
export interface RegistryFolder {
  readonly settings: RegistrySettings
  readonly folder: string
}

/** Made when the first build asks for it; made anew when that failed. */
export function registryFolder(
  folder: string,
  environment: NodeJS.ProcessEnv,
  log: ((message: string) => void) | undefined,
): () => Promise<RegistryFolder> {
  let made: Promise<RegistryFolder> | undefined
  return () => {
    made ??= makeFolder(folder, environment, log).catch((thrown: unknown) => {
      made = undefined
      throw thrown
    })
    return made
  }
}

async function makeFolder(
  folder: string,
  environment: NodeJS.ProcessEnv,
  log: ((message: string) => void) | undefined,
): Promise<RegistryFolder> {
  const settings = await readRegistrySettings(environment)
  for (const each of settings.leftOut) log?.(`builds do not get the setting ${each}`)
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { mode: 0o755 })
  for (const [name, text] of Object.entries(settings.files))
    await writeFile(join(folder, name), text, { mode: 0o644 })
  return { settings, folder }
}
