import type { EventTables } from '../store/index.ts'
import type { Message, Topic } from './topics.ts'

export type TopicRow = EventTables['topics']
export type MessageRow = EventTables['topic_messages']

export function topicOf(row: TopicRow): Topic {
  return {
    id: row.id,
    projectId: row.project_id,
    name: row.name,
    retention: {
      ageMs: row.age_ms,
      messagesMax: row.messages_max,
      bytesMax: row.bytes_max,
    },
    firstPosition: row.first_position,
    lastPosition: row.last_position,
    createdAt: row.created_at,
  }
}

export function messageOf(row: MessageRow): Message {
  return {
    id: row.message_id,
    ...(row.message_key !== null && { key: row.message_key }),
    contentType: row.content_type,
    attributes: JSON.parse(row.attributes_json) as Record<string, string>,
    data: row.data,
    position: row.position,
    publishedAt: row.published_at,
  }
}
