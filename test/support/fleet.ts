import { setImmediate as turn } from 'node:timers/promises'
import { FakeBackend, type FakeKnobs } from '../../src/backends/fake/index.ts'
import {
  type ContractChoice,
  FunctionTable,
  LIMITS_DEFAULT,
  type Limits,
  type LogLine,
  SCALING_DEFAULT,
  type Scaling,
  type TableFunction,
  type TableVersion,
} from '../../src/core/index.ts'
import { createPool, type Pool, type PoolLimits, type PoolPolicy } from '../../src/pool/index.ts'
import { FakeClock } from './clock.ts'
import { ScriptedContract } from './scripted-contract.ts'

export interface VersionOverrides {
  readonly project?: string
  readonly name?: string
  readonly number?: number
  readonly limits?: Partial<Limits>
  readonly scaling?: Partial<Scaling>
  readonly secrets?: readonly string[]
  readonly contract?: ContractChoice
}

/** A version with sensible defaults; its names are its ids. */
export function aVersion(overrides: VersionOverrides = {}): TableVersion {
  const { project = 'p', name = 'f', number = 1 } = overrides
  return {
    id: `${project}/${name}@${number}`,
    functionId: `${project}/${name}`,
    projectId: project,
    projectName: project,
    appName: 'app',
    functionName: name,
    number,
    environment: 'nodejs',
    bundleDigest: `sha256:${name}${number}`,
    entry: 'index.js',
    config: {},
    secrets: overrides.secrets ?? [],
    limits: { ...LIMITS_DEFAULT, ...overrides.limits },
    scaling: { ...SCALING_DEFAULT, ...overrides.scaling },
    network: 'none',
    ...(overrides.contract && { contract: overrides.contract }),
  }
}

/** A function of these versions whose live alias points at the last one, or as `aliases` says. */
export function aFunction(
  versions: readonly TableVersion[],
  aliases: Readonly<Record<string, readonly { version: number; weight: number }[]>> = {},
): TableFunction {
  const last = versions.at(-1)!
  return {
    id: last.functionId,
    projectId: last.projectId,
    projectName: last.projectName,
    appName: last.appName,
    name: last.functionName,
    access: 'public',
    versions: new Map(versions.map(version => [version.number, version])),
    aliases: new Map(Object.entries({ live: [{ version: last.number, weight: 100 }], ...aliases })),
  }
}

export interface FleetOptions {
  readonly warm?: number
  /** What runs lies in the bundle. */
  readonly startsWithCode?: boolean
  readonly limits?: Partial<PoolLimits>
  readonly policy?: Partial<PoolPolicy>
  readonly knobs?: Partial<FakeKnobs>
}

/** A pool over the fake backend, with time that stands still. */
export class TestFleet {
  readonly clock = new FakeClock()
  readonly backend: FakeBackend
  readonly contract = new ScriptedContract()
  readonly table = new FunctionTable()
  readonly logs: LogLine[] = []
  readonly troubles: string[] = []
  readonly pool: Pool

  constructor(options: FleetOptions = {}) {
    this.backend = new FakeBackend({ clock: this.clock, ...(options.knobs && { knobs: options.knobs }) })
    this.pool = createPool({
      backend: this.backend,
      contracts: () => this.contract,
      environments: new Map([
        [
          'nodejs',
          {
            launch: {
              environment: 'nodejs',
              command: ['node'],
              env: {},
              mounts: [],
              ...(options.startsWithCode && { startsWithCode: true }),
            },
            contract: 'scripted',
            commandFor: (contract, entry) =>
              contract === 'scripted' ? { command: ['run', entry], env: { OWN: '1' } } : undefined,
            warm: options.warm ?? 0,
          },
        ],
      ]),
      bundles: { locate: async digest => `/bundles/${digest}` },
      secrets: {
        read: async (_, names) => Object.fromEntries(names.map(name => [name, `value of ${name}`])),
      },
      table: this.table,
      clock: this.clock,
      onLog: line => this.logs.push(line),
      onTrouble: (message, cause) => this.troubles.push(`${message}: ${String(cause)}`),
      limits: { instancesMax: 1_000, memoryMiBMax: 1_000_000, ...options.limits },
      policy: { startsMax: 100, exitGraceMs: 0, exitReasonMs: 0, ...options.policy },
    })
  }

  publish(...functions: readonly TableFunction[]): void {
    this.table.publish(functions.map(value => ({ kind: 'function', id: value.id, value })))
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    for (let i = 0; i < 5; i++) {
      await turn()
      this.clock.advance(0)
    }
  }

  /** Lets `ms` pass in steps, so that what happens in between can happen. */
  async pass(ms: number, stepMs = ms): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.clock.advance(Math.min(stepMs, ms - passed))
      await this.settle()
    }
  }

  /** Instances that are not about to go, by state. */
  count(state: string): number {
    return this.pool.instances().filter(each => each.state === state).length
  }
}
