import { statSync } from 'node:fs'

/** Where an engine is listened for, or why there is none to be found. */
export type EngineSocket = { readonly path: string } | { readonly reason: string }

/**
 * Finds a Docker-compatible engine: `wanted` (a socket's path) where it is given, else DOCKER_HOST, else the usual places. Engines
 * of other machines are refused: instances are reached through namespaces of this one.
 */
export function findEngine(
  wanted: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
  isSocket: (path: string) => boolean = isSocketHere,
): EngineSocket {
  const named = wanted ?? env['DOCKER_HOST']
  if (named !== undefined && named !== '') {
    const path = named.replace(/^unix:\/\//, '')
    if (path.startsWith('/')) return { path } // it may come up later
    return {
      reason: `${JSON.stringify(named.slice(0, 200))} is no Unix socket of this machine, as container-engine and DOCKER_HOST must be`,
    }
  }
  const runtime = env['XDG_RUNTIME_DIR']
  const places = [
    '/var/run/docker.sock',
    '/run/podman/podman.sock',
    ...(runtime ? [`${runtime}/podman/podman.sock`, `${runtime}/docker.sock`] : []),
  ]
  const found = places.find(isSocket)
  return found === undefined
    ? { reason: `no Docker or Podman listens at ${places.join(', ')} (systemctl enable --now podman.socket)` }
    : { path: found }
}

function isSocketHere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false
}
