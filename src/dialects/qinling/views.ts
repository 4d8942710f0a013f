/** Qinling's nouns as its clients see them. Pure. */
import type { DialectRecord } from '../../control/index.ts'
import { pythonJson } from './json.ts'
import type { KeptAlias, KeptFunction, KeptRuntime, KeptVersion, KeptWebhook } from './kept.ts'
import { showTime } from './times.ts'

export function stamps({ projectId, createdAt, updatedAt }: DialectRecord<unknown>) {
  return {
    project_id: projectId,
    created_at: showTime(createdAt),
    updated_at: updatedAt === createdAt ? null : showTime(updatedAt),
  }
}

export function runtimeView(record: DialectRecord<KeptRuntime>) {
  const { name, image, description, isPublic, trusted, status } = record.body
  return { id: record.id, name, image, description, is_public: isPublic, trusted, status, ...stamps(record) }
}

/** `latest`: the highest number of a version that there is. In lists `code` is a text, everywhere else an object. */
export function functionView(record: DialectRecord<KeptFunction>, latest: number, inList = false) {
  const { name, description, cpu, memorySize, timeout, runtimeId, code, entry, count } = record.body
  return {
    id: record.id,
    name,
    description,
    cpu,
    memory_size: memorySize,
    timeout,
    runtime_id: runtimeId,
    code: inList ? pythonJson(code) : code,
    entry,
    count,
    latest_version: latest,
    ...stamps(record),
  }
}

export function versionView(record: DialectRecord<KeptVersion>) {
  const { functionId, number, description, count } = record.body
  return {
    id: record.id,
    description,
    function_id: functionId,
    version_number: number,
    count,
    ...stamps(record),
  }
}

export function aliasView(record: DialectRecord<KeptAlias>) {
  const { name, description, functionId, functionVersion } = record.body
  return {
    id: record.id,
    name,
    description,
    function_id: functionId,
    function_version: functionVersion,
    ...stamps(record),
  }
}

export function webhookView(record: DialectRecord<KeptWebhook>, endpoint: string) {
  const { functionId, functionAlias, functionVersion, description } = record.body
  return {
    id: record.id,
    function_id: functionId,
    function_alias: functionAlias,
    function_version: functionVersion,
    description,
    ...stamps(record),
    webhook_url: `${endpoint}/v1/webhooks/${record.id}/invoke`,
  }
}
