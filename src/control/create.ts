import type { News } from '../nodes/index.ts'
import type { SecretSource } from '../pool/index.ts'
import { type Adoption, adoption } from './adopt.ts'
import { aliasOperations } from './aliases.ts'
import { appOperations } from './apps.ts'
import { type Collected, Collector } from './collect.ts'
import { Context, type ControlOptions } from './context.ts'
import type { Control } from './control.ts'
import { deployOperation } from './deploy.ts'
import { functionOperations } from './functions.ts'
import { packageOperations } from './packages.ts'
import { projectOperations } from './projects.ts'
import { checkSecretKeys, secretOperations, secretSource } from './secrets.ts'
import { triggerOperations } from './triggers.ts'
import { versionOperations } from './versions.ts'

/** The control plane, with what the server needs of it beside the operations. */
export interface ControlPlane extends Control, Adoption {
  /** Fills the function table from the store; once, after the first login was made and before the first call. */
  loadTable(): Promise<void>
  /** Takes what other nodes have changed into the function table. */
  refresh(news: News): Promise<void>
  /** For instances that start. */
  readonly secrets: SecretSource
  /** Removes packages and bundles that nothing needs any more; to be called now and then. */
  collect(): Promise<Collected>
}

/** Rejects with INTERNAL when secrets are in the store whose key is not in `secretsKey`. */
export async function createControl(options: ControlOptions): Promise<ControlPlane> {
  await checkSecretKeys(options.store, options.secretsKey)
  const context = new Context(options)
  const collector = new Collector(context)
  return {
    ...projectOperations(context),
    ...adoption(context),
    ...appOperations(context),
    ...functionOperations(context),
    ...deployOperation(context, collector),
    ...versionOperations(context),
    ...aliasOperations(context),
    ...packageOperations(context),
    ...triggerOperations(context),
    ...secretOperations(context),
    loadTable: () => context.loadTable(),
    refresh: news => context.refresh(news),
    secrets: secretSource(options.store, options.secretsKey),
    collect: () => collector.collect(),
  }
}
