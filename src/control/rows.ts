import type { Selectable } from 'kysely'
import {
  type Alias,
  type AliasTarget,
  type App,
  ASYNC_SETTINGS_DEFAULT,
  type AsyncSettings,
  type Cors,
  type FunctionRecord,
  type HttpTrigger,
  type Project,
  type Version,
  type VersionSpec,
} from '../core/index.ts'
import type { Tables } from '../store/index.ts'
import { type AsyncOwn, complete } from './async-settings.ts'

type Row<T extends keyof Tables> = Selectable<Tables[T]>

// From rows of the store to the nouns of the model.

export function asProject(row: Row<'projects'>): Project {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    enabled: row.enabled === 1,
    quota: JSON.parse(row.quota_json) as Project['quota'],
    ...(row.isolation_min === 'gvisor' && { isolationMin: row.isolation_min }),
    ...dated(row),
  }
}

export function asApp(row: Row<'apps'>): App {
  return {
    id: row.id,
    projectId: row.project_id,
    name: row.name,
    description: row.description,
    config: JSON.parse(row.config_json) as App['config'],
    ...dated(row),
  }
}

export function asFunction(row: Row<'functions'> & { app_name: string }): FunctionRecord {
  return {
    id: row.id,
    projectId: row.project_id,
    appId: row.app_id,
    appName: row.app_name,
    name: row.name,
    description: row.description,
    access: row.access,
    async: asAsync(row.async_json),
    latestVersion: row.latest_version,
    ...dated(row),
  }
}

/** Settings as they hold, of what the function itself says; where it says nothing, one object for all. */
export function asAsync(json: string | null): AsyncSettings {
  return json === null ? ASYNC_SETTINGS_DEFAULT : complete(JSON.parse(json) as AsyncOwn)
}

export function asVersion(row: Row<'versions'>): Version {
  return {
    id: row.id,
    functionId: row.function_id,
    number: row.number,
    description: row.description,
    spec: JSON.parse(row.spec_json) as VersionSpec,
    createdAt: row.created_at,
    createdBy: row.created_by,
  }
}

export function asAlias(row: Row<'aliases'>): Alias {
  return {
    functionId: row.function_id,
    name: row.name,
    targets: asTargets(row.targets_json),
    revision: row.revision,
    updatedAt: row.updated_at,
  }
}

export function asTargets(json: string): readonly AliasTarget[] {
  return JSON.parse(json) as readonly AliasTarget[]
}

export function asTrigger(row: Row<'triggers'>): HttpTrigger {
  return {
    id: row.id,
    projectId: row.project_id,
    functionId: row.function_id,
    name: row.name,
    ...(row.host === '' ? {} : { host: row.host }),
    methods: JSON.parse(row.methods_json) as readonly string[],
    path: row.path,
    stripPrefix: row.strip_prefix === 1,
    alias: row.alias,
    ...(row.access === null ? {} : { access: row.access }),
    ...(row.cors_json === null ? {} : { cors: JSON.parse(row.cors_json) as Cors }),
    ...dated(row),
  }
}

function dated(row: { revision: number; created_at: number; updated_at: number }): {
  revision: number
  createdAt: number
  updatedAt: number
} {
  return { revision: row.revision, createdAt: row.created_at, updatedAt: row.updated_at }
}
