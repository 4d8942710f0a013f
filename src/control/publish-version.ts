import type { Transaction } from 'kysely'
import type { BuildResult } from '../builder/index.ts'
import {
  AtelierError,
  type FunctionRecord,
  LIVE_ALIAS,
  newId,
  type Principal,
  type TokenGrant,
  type VersionSpec,
} from '../core/index.ts'
import type { Tables } from '../store/index.ts'
import { moveAlias } from './aliases.ts'
import { ensureApp, needApp } from './apps.ts'
import type { AsyncChange } from './async-settings.ts'
import type { ControlOptions } from './context.ts'
import { frozenChoice } from './contract-choice.ts'
import type { DeployRequest, DeployResult } from './control.ts'
import { changedAsync, findFunction, type LiveVersion, liveVersion, needFunction } from './functions.ts'
import type { Language } from './language.ts'
import { keepEnd } from './log-end.ts'
import { checkQuotas } from './quota.ts'
import { asVersion } from './rows.ts'
import type { Settings } from './settings.ts'
import { keepBundle, keepPackage, type Source } from './stored.ts'
import { removeOldVersions } from './versions.ts'

/** All that a deploy has found out by the time it commits. */
export interface Built {
  readonly by: Principal
  readonly request: DeployRequest
  readonly source: Source
  readonly settings: Settings
  readonly language: Language
  readonly built: BuildResult
  readonly token: TokenGrant | undefined
}

/**
 * The part of a deploy that is one transaction: app and function when they are new, the version, the live alias, the
 * package's row, and what retention takes away. Publishes nothing when it would be what is there already.
 */
export async function publishVersion(
  tx: Transaction<Tables>,
  deploy: Built,
  { clock, table, versionsKept }: Pick<ControlOptions, 'clock' | 'table' | 'versionsKept'>,
): Promise<Omit<DeployResult, 'url'>> {
  const { by, request, settings } = deploy
  const now = clock.now()
  await checkSecrets(tx, by, settings.secrets)
  const before = await findFunction(tx, by, request.app, request.name)
  const room = await checkQuotas(tx, by, table, {
    functionId: before?.id,
    limits: settings.limits,
    scaling: settings.scaling,
  })
  await keepPackage(tx, by, deploy.source, keepEnd(deploy.built.log), now)
  await keepBundle(tx, by, deploy.built, now)
  const app = before ? await needApp(tx, by, request.app) : await ensureApp(tx, by, request.app, now)
  const spec = specOf(deploy, app.config)
  const record = before ?? (await insertFunction(tx, by, app.id, request, now))
  if (request.async) await setAsync(tx, record, request.async, now)
  const compared = await comparedVersion(tx, record, request)
  if (
    compared &&
    JSON.stringify(spec) === JSON.stringify(compared.version.spec) &&
    sameConfig(settings.config, compared.ownConfig)
  ) {
    await updateFunction(tx, record, request, record.latestVersion, now)
    return {
      function: await needFunction(tx, by, request.app, request.name),
      version: compared.version,
      created: false,
    }
  }
  const number = record.latestVersion + 1
  const row = {
    id: newId(now),
    function_id: record.id,
    number,
    description: request.description ?? '',
    spec_json: JSON.stringify(spec),
    own_config_json: JSON.stringify(sorted(settings.config)),
    package_digest: spec.packageDigest,
    bundle_digest: spec.bundleDigest,
    created_at: now,
    created_by: by.userName,
  }
  await tx.insertInto('versions').values(row).execute()
  await updateFunction(tx, record, request, number, now)
  // The first version goes live in any case: a function that answers nothing helps nobody.
  if (!request.publishOnly || number === 1)
    await moveAlias(tx, record.id, LIVE_ALIAS, [{ version: number, weight: 100 }], now)
  await removeOldVersions(tx, record.id, versionsKept)
  await room.check(tx)
  return {
    function: await needFunction(tx, by, request.app, request.name),
    version: asVersion(row),
    created: true,
  }
}

async function insertFunction(
  tx: Transaction<Tables>,
  by: Principal,
  appId: string,
  request: DeployRequest,
  now: number,
): Promise<FunctionRecord> {
  await tx
    .insertInto('functions')
    .values({
      id: newId(now),
      project_id: by.projectId,
      app_id: appId,
      name: request.name,
      description: request.description ?? '',
      access: request.access ?? 'private',
      async_json: null,
      latest_version: 0,
      revision: 0,
      created_at: now,
      updated_at: now,
    })
    .execute()
  return needFunction(tx, by, request.app, request.name)
}

async function setAsync(
  tx: Transaction<Tables>,
  record: FunctionRecord,
  change: AsyncChange,
  now: number,
): Promise<void> {
  const json = await changedAsync(tx, record.id, change)
  if (json === undefined) return
  await tx
    .updateTable('functions')
    .set({ async_json: json, revision: record.revision + 1, updated_at: now })
    .where('id', '=', record.id)
    .execute()
}

async function updateFunction(
  tx: Transaction<Tables>,
  record: FunctionRecord,
  { description = record.description, access = record.access }: DeployRequest,
  latestVersion: number,
  now: number,
): Promise<void> {
  const same = {
    description: record.description,
    access: record.access,
    latestVersion: record.latestVersion,
  }
  if (description === same.description && access === same.access && latestVersion === same.latestVersion)
    return
  await tx
    .updateTable('functions')
    .set({
      description,
      access,
      latest_version: latestVersion,
      revision: record.revision + 1,
      updated_at: now,
    })
    .where('id', '=', record.id)
    .execute()
}

/** What a new version must differ from: what is live alone, or the newest when it shall not go live. */
async function comparedVersion(
  tx: Transaction<Tables>,
  record: FunctionRecord,
  request: DeployRequest,
): Promise<Pick<LiveVersion, 'version' | 'ownConfig'> | undefined> {
  if (!request.publishOnly) {
    const live = await liveVersion(tx, record.id)
    return live?.isSole ? live : undefined
  }
  const row = await tx
    .selectFrom('versions')
    .selectAll()
    .where('function_id', '=', record.id)
    .where('number', '=', record.latestVersion)
    .executeTakeFirst()
  return (
    row && { version: asVersion(row), ownConfig: JSON.parse(row.own_config_json) as Record<string, string> }
  )
}

async function checkSecrets(tx: Transaction<Tables>, by: Principal, names: readonly string[]): Promise<void> {
  if (names.length === 0) return
  const rows = await tx
    .selectFrom('secrets')
    .select('name')
    .where('project_id', '=', by.projectId)
    .where('name', 'in', [...names])
    .execute()
  const found = new Set(rows.map(row => row.name))
  const missing = names.filter(name => !found.has(name))
  if (missing.length === 0) return
  throw new AtelierError('INVALID_INPUT', `There is no secret "${missing.join('", "')}": set it first.`, {
    errors: missing.map(name => ({ pointer: 'secrets', detail: `there is no secret "${name}"` })),
  })
}

// Fields in one order and configuration by name: equal specifications are equal texts.
function specOf(deploy: Built, appConfig: Readonly<Record<string, string>>): VersionSpec {
  const { limits, scaling } = deploy.settings
  const { environment } = deploy.language
  const contract = frozenChoice(deploy.settings.contract, environment, deploy.built.entry)
  return {
    environment: environment.name,
    ...(contract && { contract }),
    environmentRevision: deploy.language.revision,
    packageDigest: deploy.source.digest,
    bundleDigest: deploy.built.bundleDigest,
    entry: deploy.built.entry,
    config: sorted({ ...appConfig, ...deploy.settings.config }),
    secrets: deploy.settings.secrets,
    limits: {
      memoryMiB: limits.memoryMiB,
      cpuMillicores: limits.cpuMillicores,
      timeoutMs: limits.timeoutMs,
      concurrency: limits.concurrency,
      tmpMiB: limits.tmpMiB,
      processesMax: limits.processesMax,
      openFilesMax: limits.openFilesMax,
    },
    scaling: {
      instancesMin: scaling.instancesMin,
      instancesMax: scaling.instancesMax,
      idleMs: scaling.idleMs,
    },
    network: deploy.settings.network,
    ...(deploy.settings.isolation !== 'process' && { isolation: deploy.settings.isolation }),
    ...(deploy.token && { token: deploy.token }),
  }
}

function sorted(config: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function sameConfig(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b))
}
