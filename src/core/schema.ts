import type * as TypeBox from 'typebox'

type Used =
  | 'Array'
  | 'Boolean'
  | 'Enum'
  | 'Integer'
  | 'Literal'
  | 'Null'
  | 'Number'
  | 'Object'
  | 'Optional'
  | 'Partial'
  | 'Record'
  | 'String'
  | 'Union'
  | 'Unknown'
  | 'Unsafe'

type Schema = Readonly<Record<string, unknown>>

const optional = new WeakSet<Schema>()

const plain = (type: string) => (options?: Schema) => ({ type, ...options })

/**
 * Makes JSON schemas whose TypeScript types TypeBox works out. Only its types are used: its code is 370 files, which would
 * cost a server 10 MB and a tenth of a second at each start, and what is needed of it at run time is this.
 */
export const Type = {
  Array: (items: Schema, options?: Schema) => ({ type: 'array', items, ...options }),
  Boolean: plain('boolean'),
  Enum: (values: readonly string[], options?: Schema) => ({ enum: values, ...options }),
  Integer: plain('integer'),
  Literal: (value: string | number | boolean, options?: Schema) => ({
    type: typeof value,
    const: value,
    ...options,
  }),
  Null: plain('null'),
  Number: plain('number'),
  Object: (properties: Readonly<Record<string, Schema>>, options?: Schema) => {
    const required = Object.keys(properties).filter(name => !optional.has(properties[name]!))
    return { type: 'object', ...(required.length > 0 && { required }), properties, ...options }
  },
  /** A copy: the schema may be required elsewhere. */
  Optional: (schema: Schema) => {
    const copy = { ...schema }
    optional.add(copy)
    return copy
  },
  /** The options of the object itself are not taken over, as in TypeBox. */
  Partial: ({ properties }: Schema, options?: Schema) => ({ type: 'object', properties, ...options }),
  Record: (_key: Schema, value: Schema, options?: Schema) => ({
    type: 'object',
    additionalProperties: value,
    ...options,
  }),
  String: plain('string'),
  Union: (anyOf: readonly Schema[], options?: Schema) => ({ anyOf, ...options }),
  Unknown: (options?: Schema) => ({ ...options }),
  Unsafe: (schema: Schema) => schema,
} as unknown as Pick<typeof TypeBox.Type, Used>
