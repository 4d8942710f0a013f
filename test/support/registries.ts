import { spawnSync } from 'node:child_process'

const ASK_MS_MAX = 20_000
const ASKS = {
  npm: (name: string) => ['npm', 'view', name, 'version'],
  pip: (name: string) => ['python3', '-m', 'pip', 'install', '--dry-run', '--no-deps', '--quiet', name],
}

/** Why a package cannot be had from its registry here, or `false` when it can. */
export function unreachable(registry: keyof typeof ASKS, name: string): string | false {
  const [program, ...args] = ASKS[registry](name)
  return spawnSync(program!, args, { timeout: ASK_MS_MAX }).status !== 0 && 'the registry cannot be reached'
}
