import { type Static, type TObject, type TProperties, type TSchema, type TUnsafe, Type } from './type.ts'

/** A schema with a name of its own in the OpenAPI document. */
export type ModelSchema<T extends TSchema = TSchema> = T & { readonly $id: string }

/** A named object with an example, for answers. */
export function model<T extends TProperties>(
  name: string,
  description: string,
  properties: T,
  example: unknown,
): ModelSchema<TObject<T>> {
  return Type.Object(properties, { $id: name, description, examples: [example] }) as unknown as ModelSchema<
    TObject<T>
  >
}

/** Points to a named schema. */
export function ref<T extends TSchema>(schema: ModelSchema<T>, description?: string): TUnsafe<Static<T>> {
  return Type.Unsafe<Static<T>>({ $ref: `${schema.$id}#`, ...(description !== undefined && { description }) })
}

/** A page of a list. */
export function pageOf<T extends TSchema>(schema: ModelSchema<T>) {
  return Type.Object(
    {
      items: Type.Array(ref(schema)),
      next: Type.Optional(Type.String({ description: 'Cursor of the next page; absent on the last one.' })),
    },
    { description: 'One page.' },
  )
}

/** A list that is always whole. */
export function listOf<T extends TSchema>(schema: ModelSchema<T>) {
  return Type.Object({ items: Type.Array(ref(schema)) }, { description: 'The whole list.' })
}

export const Nothing = Type.Null({ description: 'Done; the answer has no body.' })

/** RFC 3339 in UTC. */
export const Time = (description: string) => Type.String({ format: 'date-time', description })
