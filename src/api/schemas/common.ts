import { Time } from './model.ts'
import { Type } from './type.ts'

// Values of examples.
export const AT = '2026-11-02T09:30:00.000Z'
export const ID = '01k9zq5m3b8t5v2c7x4n6r1d0e'
export const DIGEST = 'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'

// Fields of many nouns.
export const Id = Type.String({ description: 'Opaque; sorts by time of creation.' })
export const Revision = Type.Integer({ description: 'Grows with each change; the same as the ETag.' })
export const times = { createdAt: Time('When it was made.'), updatedAt: Time('When it was last changed.') }

export const IsolationSchema = Type.Enum(['process', 'gvisor'])
