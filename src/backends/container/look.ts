import { asAtelierError } from '../../core/index.ts'
import { Engine } from './engine.ts'
import { findEngine } from './engine-socket.ts'
import { EngineHttp } from './http.ts'

/**
 * The engine that a server with this setting and environment would use, asked for its version; or why there is none. Never
 * rejects.
 */
export async function lookForEngine(
  wanted: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly path: string; readonly version: string } | { readonly reason: string }> {
  const found = findEngine(wanted, env)
  if ('reason' in found) return found
  try {
    return { path: found.path, version: await new Engine(new EngineHttp(found.path)).version() }
  } catch (error) {
    return { reason: asAtelierError(error).message }
  }
}
