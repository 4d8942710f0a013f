/** Requests that came to the secret URLs of triggers, to look at and to replay. */
export interface HookRequestTables {
  hook_requests: {
    /** Ids grow with time. */
    id: string
    trigger_id: string
    project_id: string
    received_at: number
    expires_at: number
    /** Method, path, query, address, then names and values of headers. */
    head_json: string
    /** As much of it as is kept. */
    body: Uint8Array
    /** Of head and body, as they are kept. */
    kept_bytes: number
    /** Of the body as it came. */
    body_bytes: number
    outcome: string
    detail: string | null
    call_id: string | null
  }
}
