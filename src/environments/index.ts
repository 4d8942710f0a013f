import type { Environment } from './environment.ts'
import { environmentsIn } from './find.ts'

export { binaryEnvironment } from './binary/environment.ts'
export { standInFor } from './container/stand-ins.ts'
export { dotnetEnvironment } from './dotnet/environment.ts'
export * from './environment.ts'
export { detectedOf, findEnvironments } from './find.ts'
export { goEnvironment } from './go/environment.ts'
export { javaEnvironment } from './java/environment.ts'
export { nodejsEnvironment } from './nodejs/environment.ts'
export { phpEnvironment } from './php/environment.ts'
export { pythonEnvironment } from './python/environment.ts'
export { rubyEnvironment } from './ruby/environment.ts'

/** Every environment that ships with the platform: the folders beside this file. The names above are for tests alone. */
export const environments: readonly Environment[] = await environmentsIn(import.meta.dirname)
