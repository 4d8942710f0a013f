/** What dialects must remember beside our own nouns. */
export interface DialectTables {
  dialect_records: {
    /** Of the dialect's own making. */
    id: string
    /** `<dialect>.<noun>`. */
    kind: string
    project_id: string
    /** The record or noun that it belongs to; empty for none. */
    parent: string
    /** SHA-256 of `key_text`; unique in its kind. */
    key_hash: string | null
    key_text: string | null
    body_json: string
    revision: number
    created_at: number
    updated_at: number
  }
}
