import type { DialectRecord } from '../../control/index.ts'
import type { Principal } from '../../core/index.ts'
import type { DialectParts } from '../dialect.ts'
import { type KeptFn, ourName } from './kept.ts'

const MEMORY_MIB_MIN = 32

/** A new version of the function that stands for `fn`; without an image, of the one that it has. */
export async function deployFn(
  { control }: Pick<DialectParts, 'control'>,
  by: Principal,
  appName: string,
  fn: KeptFn,
  image: string | undefined,
): Promise<void> {
  await control.deploy(
    by,
    {
      app: ourName(appName),
      name: ourName(fn.name),
      ...(image !== undefined && { image }),
      description: `Fn function ${fn.name}`,
      access: 'public',
      contract: 'fn',
      config: fn.config,
      limits: { memoryMiB: Math.max(MEMORY_MIB_MIN, fn.memory), timeoutMs: fn.timeout * 1000 },
      scaling: { idleMs: fn.idleTimeout * 1000 },
    },
    () => {},
    new AbortController().signal,
  )
}

export type FnRecord = DialectRecord<KeptFn>
