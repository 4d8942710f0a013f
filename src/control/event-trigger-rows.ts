import type { Kysely, Transaction } from 'kysely'
import type { EventFormat, EventTrigger, EventTriggerKind, UrlToken } from '../core/index.ts'
import type { Tables } from '../store/index.ts'
import { type SecretKeys, seal, unseal } from './sealing.ts'
import { joinSecrets, type SplitConfig } from './secret-fields.ts'

export type EventTriggerRow = Awaited<
  ReturnType<ReturnType<typeof eventTriggersOf>['executeTakeFirstOrThrow']>
>

/** Rows with the names that they go by. */
export function eventTriggersOf(db: Kysely<Tables> | Transaction<Tables>) {
  return db
    .selectFrom('event_triggers')
    .innerJoin('functions', 'functions.id', 'event_triggers.function_id')
    .innerJoin('apps', 'apps.id', 'functions.app_id')
    .innerJoin('projects', 'projects.id', 'event_triggers.project_id')
    .selectAll('event_triggers')
    .select(['functions.name as function_name', 'apps.name as app_name', 'projects.name as project_name'])
}

/** The trigger with its secrets, for those who run it. */
export function openEventTrigger(row: EventTriggerRow, keys: SecretKeys): EventTrigger {
  return {
    id: row.id,
    projectId: row.project_id,
    projectName: row.project_name,
    functionId: row.function_id,
    appName: row.app_name,
    functionName: row.function_name,
    name: row.name,
    kind: row.kind as EventTriggerKind,
    alias: row.alias,
    format: row.format as EventFormat,
    config: joinSecrets(configOf(row, keys)),
    tokens: tokensOf(row, keys),
    paused: row.paused === 1,
    revision: row.revision,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

export function configOf(row: EventTriggerRow, keys: SecretKeys): SplitConfig {
  return {
    open: JSON.parse(row.config_json) as SplitConfig['open'],
    secret:
      row.sealed === null
        ? {}
        : (JSON.parse(unseal(keys, placeOf(row, 'config'), row.sealed)) as SplitConfig['secret']),
  }
}

export function tokensOf(row: EventTriggerRow, keys: SecretKeys): readonly UrlToken[] {
  if (row.tokens_sealed === null) return []
  return JSON.parse(unseal(keys, placeOf(row, 'tokens'), row.tokens_sealed)) as readonly UrlToken[]
}

/** Columns of a configuration. */
export function configColumns(owner: Owner, { open, secret }: SplitConfig, keys: SecretKeys) {
  const hasSecrets = Object.keys(secret).length > 0
  return {
    config_json: JSON.stringify(open),
    sealed: hasSecrets ? seal(keys, placeOf(owner, 'config'), JSON.stringify(secret)) : null,
  }
}

/** The column of a trigger's tokens. */
export function tokensColumn(owner: Owner, tokens: readonly UrlToken[], keys: SecretKeys) {
  return {
    tokens_sealed: tokens.length > 0 ? seal(keys, placeOf(owner, 'tokens'), JSON.stringify(tokens)) : null,
  }
}

interface Owner {
  readonly id: string
  readonly project_id: string
}

/** What is sealed for one trigger and purpose cannot be opened as another's. */
function placeOf({ id, project_id }: Owner, what: 'config' | 'tokens'): readonly string[] {
  return [project_id, 'event trigger', id, what]
}
