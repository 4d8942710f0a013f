import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import {
  type ControlOptions,
  type ControlPlane,
  createControl,
  type DeployEvent,
  type DeployRequest,
  type DeployResult,
  openSecretKeys,
} from '../../src/control/index.ts'
import { FunctionTable, type Principal, type Role } from '../../src/core/index.ts'
import type { Environment } from '../../src/environments/index.ts'
import { createEmbeddedIdentity, type EmbeddedIdentity } from '../../src/identity/index.ts'
import { openStore, type Store } from '../../src/store/index.ts'
import { FakeClock } from './clock.ts'
import { MemoryBuilder } from './memory-builder.ts'
import { PASSWORD_COST_LOW } from './passwords.ts'

/** An environment for packages with one file of this extension. */
export function fileEnvironment(name: string, extension: string): Environment & { revision: string } {
  const environment = {
    name,
    revision: `${name}-1`,
    description: `files that end in ${extension}`,
    contract: 'frames',
    entryHelp: 'a file',
    probe: async () =>
      ({
        ready: true,
        launch: undefined as never,
        runtimeVersion: '1',
        revision: environment.revision,
      }) as const,
    detects: (files: readonly string[]) => files.some(file => file.endsWith(extension)),
    defaultEntry: (files: readonly string[]) => files.find(file => file === `main${extension}`),
    buildPlan: () => ({ lockFiles: [], dependencySteps: [], dependencyFolder: undefined, checkSteps: [] }),
  }
  return environment
}

/** A whole control plane on a store in a temporary folder. */
export class ControlFixture {
  readonly clock = new FakeClock()
  readonly builder = new MemoryBuilder(() => this.clock.now())
  readonly nodejs = fileEnvironment('nodejs', '.js')
  readonly python = fileEnvironment('python', '.py')
  readonly folder: string
  readonly #overrides: Partial<ControlOptions>
  table = new FunctionTable()
  store!: Store
  identity!: EmbeddedIdentity
  control!: ControlPlane
  admin!: Principal
  #members = 0

  private constructor(folder: string, overrides: Partial<ControlOptions>) {
    this.folder = folder
    this.#overrides = overrides
  }

  static async open(overrides: Partial<ControlOptions> = {}): Promise<ControlFixture> {
    const folder = await mkdtemp(join(tmpdir(), 'atelier-control-'))
    const fixture = new ControlFixture(folder, overrides)
    await fixture.#start()
    await fixture.identity.bootstrap(async login => {
      fixture.#adminLogin = login
    })
    await fixture.control.loadTable()
    fixture.admin = (await fixture.identity.login(fixture.#adminLogin!)).principal
    return fixture
  }

  #adminLogin: { user: string; password: string } | undefined

  /** As a server that was stopped and started again. */
  async restart(): Promise<void> {
    await this.store.close()
    this.table = new FunctionTable()
    await this.#start()
  }

  async dispose(): Promise<void> {
    await this.store.close()
    await rm(this.folder, { recursive: true, force: true })
  }

  /** Somebody with this role in a project, which is made when it is new. */
  async member(project: string, role: Role = 'member'): Promise<Principal> {
    if (![...this.table.projects.values()].some(each => each.name === project))
      await this.control.createProject(this.admin, { name: project })
    const [id] = [...this.table.projects.values()].filter(each => each.name === project).map(each => each.id)
    const userName = `user-${++this.#members}`
    return {
      userId: userName,
      userName,
      projectId: id ?? '',
      projectName: project,
      roles: [role],
      expiresAt: Infinity,
    }
  }

  /** Deploys one file `main.js` with this text as app `shop`, function `cart`, unless told otherwise. */
  async deploy(
    by: Principal,
    code: string | undefined,
    request: Partial<DeployRequest> & { fileName?: string } = {},
    progress: (event: DeployEvent) => void = () => {},
    signal: AbortSignal = new AbortController().signal,
  ): Promise<DeployResult> {
    const { fileName = 'main.js', ...rest } = request
    const source =
      code === undefined ? {} : { package: { source: Readable.from([Buffer.from(code)]), fileName } }
    return this.control.deploy(by, { app: 'shop', name: 'cart', ...source, ...rest }, progress, signal)
  }

  async #start(): Promise<void> {
    this.store = await openStore({ url: join(this.folder, 'atelier.db') })
    this.identity = await createEmbeddedIdentity({
      store: this.store,
      clock: this.clock,
      passwordCost: PASSWORD_COST_LOW,
    })
    this.control = await createControl({
      store: this.store,
      builder: this.builder,
      table: this.table,
      clock: this.clock,
      secretsKey: await openSecretKeys(join(this.folder, 'secret.key')),
      environments: [this.nodejs, this.python],
      routerUrl: () => 'http://127.0.0.1:1882',
      versionsKept: 3,
      networkAvailable: true,
      identity: this.identity,
      ...this.#overrides,
    })
    await this.control.loadTable()
  }
}
