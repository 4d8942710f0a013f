/** Answers to requests with an idempotency key, so that a repeated request does nothing twice. */
export interface IdempotencyTables {
  idempotency_keys: {
    /** SHA-256 over owner and key. */
    id: string
    /** User and project. */
    owner: string
    /** SHA-256 over what was asked. */
    fingerprint: string
    state: 'running' | 'done'
    /** The process that runs it: what an earlier process left running will never be done. */
    process: string
    status: number
    headers_json: string
    /** Base64. */
    body: string
    created_at: number
    expires_at: number
  }
}
