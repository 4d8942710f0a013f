import { binaryEnvironment } from './binary/environment.ts'
import { containerEnvironment } from './container/environment.ts'
import { dotnetEnvironment } from './dotnet/environment.ts'
import type { Environment } from './environment.ts'
import { goEnvironment } from './go/environment.ts'
import { javaEnvironment } from './java/environment.ts'
import { nodejsEnvironment } from './nodejs/environment.ts'
import { phpEnvironment } from './php/environment.ts'
import { pythonEnvironment } from './python/environment.ts'
import { rubyEnvironment } from './ruby/environment.ts'

export { binaryEnvironment } from './binary/environment.ts'
export { dotnetEnvironment } from './dotnet/environment.ts'
export * from './environment.ts'
export { goEnvironment } from './go/environment.ts'
export { javaEnvironment } from './java/environment.ts'
export { nodejsEnvironment } from './nodejs/environment.ts'
export { phpEnvironment } from './php/environment.ts'
export { pythonEnvironment } from './python/environment.ts'
export { rubyEnvironment } from './ruby/environment.ts'

/** Every environment, in the order in which a package is offered to them. */
export const environments: readonly Environment[] = [
  nodejsEnvironment,
  pythonEnvironment,
  goEnvironment,
  phpEnvironment,
  javaEnvironment,
  containerEnvironment,
  rubyEnvironment,
  dotnetEnvironment,
  binaryEnvironment,
]
