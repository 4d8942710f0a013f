/** Topics and what was published to them. */
export interface TopicTables {
  topics: {
    id: string
    project_id: string
    name: string
    age_ms: number
    messages_max: number
    bytes_max: number
    first_position: number
    last_position: number
    /** Of the messages that are kept. */
    bytes: number
    created_at: number
  }
  topic_messages: {
    topic_id: string
    position: number
    message_id: string
    message_key: string | null
    content_type: string
    attributes_json: string
    data: Uint8Array
    bytes: number
    published_at: number
  }
}
