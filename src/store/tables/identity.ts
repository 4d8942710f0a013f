import type { Role } from '../../core/index.ts'

/** Who may call. Times are epoch milliseconds, flags 0 or 1, in every table. */
export interface IdentityTables {
  users: UsersTable
  grants: GrantsTable
  tokens: TokensTable
}

interface UsersTable {
  id: string
  name: string
  /** `scrypt$N$r$p$salt$hash`, the last two in base64url. */
  password_hash: string
  enabled: number
  created_at: number
}

interface GrantsTable {
  user_id: string
  project_id: string
  role: Role
}

interface TokensTable {
  /** SHA-256 of the token, in hex: who reads the table cannot log in with it. */
  hash: string
  id: string
  user_id: string
  project_id: string
  description: string
  created_at: number
  expires_at: number
}
