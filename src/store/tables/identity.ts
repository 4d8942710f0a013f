import type { Generated } from 'kysely'
import type { Role } from '../../core/index.ts'

/** Who may call. Times are epoch milliseconds, flags 0 or 1, in every table. */
export interface IdentityTables {
  users: UsersTable
  grants: GrantsTable
  trusts: TrustsTable
  application_credentials: ApplicationCredentialsTable
  sessions: SessionsTable
  function_trusts: FunctionTrustsTable
}

interface UsersTable {
  id: string
  name: string
  /** `scrypt$N$r$p$salt$hash`, the last two in base64url. */
  password_hash: string
  enabled: number
  created_at: number
  description: Generated<string | null>
  email: Generated<string | null>
  /** Where a token without a scope belongs; nothing holds that it still exists. */
  default_project_id: Generated<string | null>
}

interface GrantsTable {
  user_id: string
  project_id: string
  role: Role
}

interface TrustsTable {
  id: string
  trustor_id: string
  trustee_id: string
  project_id: string
  impersonation: number
  /** Names, with commas between. */
  roles: string
  remaining_uses: number | null
  expires_at: number | null
  created_at: number
}

interface ApplicationCredentialsTable {
  id: string
  user_id: string
  project_id: string
  name: string
  description: string | null
  /** As `users.password_hash`. */
  secret_hash: string
  roles: string
  /** Null when it was not said, which counts as 0. */
  unrestricted: number | null
  access_rules_json: string | null
  expires_at: number | null
  created_at: number
}

/** A token of any kind. */
interface SessionsTable {
  /** SHA-256 of the token, in hex: who reads the table cannot log in with it. */
  hash: string
  id: string
  /** The first token of those that were made from one another. */
  chain_id: string
  /** For whom it acts. */
  user_id: string
  /** Whose secret it was made with: another than `user_id` when a trust impersonates. */
  proven_by: string
  project_id: string | null
  trust_id: string | null
  credential_id: string | null
  methods: string
  created_at: number
  expires_at: number
}

/** A trust by which functions get tokens; its id is the identity service's. */
interface FunctionTrustsTable {
  trust_id: string
  project_id: string
  created_at: number
}
