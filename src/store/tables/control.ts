import type { ColumnType } from 'kysely'
import type { Access } from '../../core/index.ts'

/** What the control plane keeps. Columns ending in `_json` hold JSON text. */
export interface ControlTables {
  projects: ProjectsTable
  apps: AppsTable
  functions: FunctionsTable
  versions: VersionsTable
  aliases: AliasesTable
  alias_history: AliasHistoryTable
  packages: PackagesTable
  bundles: BundlesTable
  triggers: TriggersTable
  event_triggers: EventTriggersTable
  secrets: SecretsTable
  locks: LocksTable
}

interface Dated {
  created_at: number
  updated_at: number
}

interface ProjectsTable extends Dated {
  id: string
  name: string
  description: string
  enabled: number
  quota_json: string
  isolation_min: ColumnType<string | null, string | null | undefined, string | null>
  revision: number
}

interface AppsTable extends Dated {
  id: string
  project_id: string
  name: string
  description: string
  config_json: string
  revision: number
}

interface FunctionsTable extends Dated {
  id: string
  project_id: string
  app_id: string
  name: string
  description: string
  access: Access
  latest_version: number
  async_json: string | null
  revision: number
}

interface VersionsTable {
  id: string
  function_id: string
  number: number
  description: string
  /** The frozen `VersionSpec`. */
  spec_json: string
  /** The function's own configuration, without the app's: what the next deploy starts from. */
  own_config_json: string
  /** Copies of what `spec_json` says, to find versions by. */
  package_digest: string
  bundle_digest: string
  created_at: number
  created_by: string
}

interface AliasesTable {
  function_id: string
  name: string
  targets_json: string
  revision: number
  updated_at: number
}

/** What an alias pointed to before, newest with the greatest `sequence`. */
interface AliasHistoryTable {
  function_id: string
  name: string
  sequence: number
  targets_json: string
  created_at: number
}

interface PackagesTable {
  project_id: string
  digest: string
  size_bytes: number
  file_name: string
  /** The newest build's. */
  build_log: string
  created_at: number
}

/** What was built, with the dependencies that several bundles share beside them. */
interface BundlesTable {
  project_id: string
  digest: string
  kind: 'bundle' | 'dependencies'
  /** What it takes up alone. */
  size_bytes: number
  /** Digest of the dependencies that a bundle shares. */
  dependencies: string | null
  created_at: number
}

interface TriggersTable extends Dated {
  id: string
  project_id: string
  function_id: string
  name: string
  /** What of the address space the route lies in: `host:<name>` or `path:<first segment>`; one project's alone. */
  space: string
  /** Lower case; empty for any host. */
  host: string
  methods_json: string
  path: string
  /** The path with its parameters' names taken out: two of one shape match the same requests. */
  shape: string
  strip_prefix: number
  alias: string
  access: Access | null
  cors_json: string | null
  revision: number
}

interface EventTriggersTable extends Dated {
  id: string
  project_id: string
  function_id: string
  name: string
  kind: string
  alias: string
  format: string
  /** Without its secret fields. */
  config_json: string
  /** The secret fields by their dotted paths, as JSON, sealed; null when there are none. */
  sealed: string | null
  /** What opens its URL, as JSON, sealed; null for a kind that has none. */
  tokens_sealed: string | null
  paused: number
  revision: number
}

interface SecretsTable extends Dated {
  project_id: string
  name: string
  /** `<key id>.<nonce>.<ciphertext and tag>`, in base64url. */
  sealed: string
  revision: number
}

/** One row for each thing that is decided by all nodes one after the other: updating it takes the lock in any engine. */
interface LocksTable {
  name: string
  taken: number
}
