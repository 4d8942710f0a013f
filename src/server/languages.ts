import { type Environment, environments, findEnvironments } from '../environments/index.ts'
import type { PoolEnvironment } from '../pool/index.ts'

export interface Languages {
  readonly all: readonly Environment[]
  /** Those that this machine can run, by name. */
  readonly ready: ReadonlyMap<string, PoolEnvironment>
  /** What to say of each. */
  readonly shown: readonly { readonly name: string; readonly text: string }[]
}

/** The languages that there are, with those of a folder of the operator's own. */
export async function openLanguages(folder: string): Promise<Languages> {
  const all =
    folder === '' ? environments : [...environments, ...(await findEnvironments(folder, environments))]
  const ready = new Map<string, PoolEnvironment>()
  const shown: { name: string; text: string }[] = []
  const statuses = await Promise.all(all.map(each => each.probe()))
  for (const [i, environment] of all.entries()) {
    const status = statuses[i]!
    const { name, contract, startsWithCode, warmsWhenUsed } = environment
    if (status.ready)
      ready.set(name, {
        launch: { ...status.launch, ...(startsWithCode && { startsWithCode }) },
        contract,
        commandFor: (wanted, entry) => environment.commandFor?.(wanted, entry),
        ...((warmsWhenUsed || startsWithCode) && { warmsWhenUsed: true }),
      })
    shown.push({
      name: environment.name,
      text: status.ready ? status.runtimeVersion : `not here: ${status.reason}`,
    })
  }
  return { all, ready, shown }
}
