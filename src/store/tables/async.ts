import type { Generated } from 'kysely'

/** Calls that outlive their caller. Each process that runs some is a node with an id of its own. */
export interface AsyncTables {
  /** What changes in a call's life, and what lists show. */
  async_calls: {
    id: string
    project_id: string
    function_id: string
    app_name: string
    function_name: string
    qualifier: string | null
    trigger_kind: string
    trigger_name: string | null
    /** `blocked`: queued, behind an earlier call with the same ordering key. */
    state: 'queued' | 'blocked' | 'running' | 'succeeded' | 'failed' | 'expired' | 'cancelled'
    /** Begun, as far as known. */
    attempts: Generated<number>
    /** Those that failed and count against the retry policy. */
    failures: Generated<number>
    /** Nodes that were lost with it. */
    recoveries: Generated<number>
    accepted_at: number
    /** What its age counts from. */
    first_due_at: number
    due_at: number
    started_at: number | null
    ended_at: number | null
    kept_until: number | null
    ordering_key: string | null
    /** The node that holds the lease. */
    owner: string | null
    cancel_requested: Generated<number>
    /** Of its head and body. */
    body_bytes: number
    http_status: Generated<number>
    result_bytes: Generated<number>
    failure_json: string | null
    /** What the call itself asks for, where it differs from its function's settings. */
    options_json: string | null
  }
  /** What the function is sent; read when a call is leased. */
  async_payloads: {
    id: string
    /** Method, path, then names and values of headers. */
    head_json: string
    body: Uint8Array | null
  }
  async_results: {
    id: string
    headers_json: string
    body: Uint8Array
  }
  /** Calls with an ordering key that have not ended: the least `seq` of a key is the one that may run. */
  async_order: {
    call_id: string
    function_id: string
    /** SHA-256 of the key. */
    key_hash: string
    seq: number
  }
  /** Idempotency keys and the calls they stand for. */
  async_keys: {
    function_id: string
    /** SHA-256 of the key. */
    key_hash: string
    call_id: string
    expires_at: number
  }
  /** Who is alive: `beat` grows while it is. */
  async_nodes: {
    id: string
    beat: number
  }
  /** Outcomes on their way to a destination. */
  async_outbox: {
    id: string
    project_id: string
    /** Destination. */
    target_json: string
    /** CloudEvent in JSON. */
    event: Uint8Array
    /** How many destinations have led here from the first call. */
    hops: number
    attempts: number
    due_at: number
    expires_at: number
  }
}
