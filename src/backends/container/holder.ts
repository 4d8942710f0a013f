import type { Inside } from '../backend.ts'
import type { Debts } from './debts.ts'
import type { Doors } from './doors.ts'
import type { Engine } from './engine.ts'
import { engineFailed } from './http.ts'
import { pauseProgram } from './pause.ts'
import { type ContainerWish, containerBody } from './policy.ts'

const IMAGE = 'localhost/atelier/pause:1'
const PROGRAM = '/pause'
/** More than a program of some instructions needs: what starts it counts as well. */
const LIMITS = { memoryMiB: 64, tmpMiB: 1, processesMax: 64, openFilesMax: 64 }

/** What it takes to hold a network. */
export interface HolderOptions {
  /** Marks what is ours, in labels and names. */
  readonly installation: string
  readonly doors: Doors
  readonly debts: Debts
}

/** A container that does nothing but have a network, in which another one is started. */
export interface NetworkHolder {
  readonly id: string
  readonly inside: Inside
  /** Never rejects. */
  remove(): Promise<void>
}

/**
 * A network for the container of `wish`, before that is made: for engines that start a program in the moment in which they make its
 * network. What holds it is a program of ours in an image of ours.
 */
export async function holdNetwork(
  engine: Engine,
  wish: ContainerWish,
  { installation, doors, debts }: HolderOptions,
  signal: AbortSignal,
): Promise<NetworkHolder> {
  const body = containerBody({
    ...wish,
    launch: { environment: 'network', image: IMAGE, command: [PROGRAM], env: {}, mounts: [] },
    env: {},
    limits: { ...wish.limits, ...LIMITS },
    stdin: false,
    imageUser: '',
    folder: undefined,
    mounts: [],
  })
  const id = await madeWithImage(engine, `atelier-${installation}-${wish.instance}-network`, body)
  debts.add(id)
  try {
    await engine.start(id, signal)
    const pid = await engine.pidOf(id)
    const inside = pid === undefined ? undefined : doors.inside(pid)
    if (inside === undefined) throw engineFailed('its network was not made')
    return { id, inside, remove: () => debts.pay(engine, id) }
  } catch (error) {
    await debts.pay(engine, id)
    throw error
  }
}

async function madeWithImage(engine: Engine, name: string, body: unknown): Promise<string> {
  const never = new AbortController().signal
  const id = await engine.createIfThere(name, body, never)
  if (id !== undefined) return id
  const { packTar } = await import('modern-tar')
  const program = pauseProgram(process.arch)
  const header = { name: PROGRAM.slice(1), size: program.length, mode: 0o755, type: 'file' as const }
  await engine.importImage(IMAGE, await packTar([{ header, body: program }]))
  return engine.create(name, body, never)
}
