import { type TProperties, Type } from './type.ts'

/** An object that takes these fields and no others. */
export function exactly<T extends TProperties>(properties: T, options: object = {}) {
  return Type.Object(properties, { additionalProperties: false, ...options })
}

// Names are checked by the control plane, whose sentence is better than a pattern's; here they only must be text.
const nameIn = (description: string) => Type.String({ minLength: 1, maxLength: 100, description })

export const AppParams = Type.Object({ app: nameIn('The app’s name.') })
export const FunctionParams = Type.Object({
  app: nameIn('The app’s name.'),
  function: nameIn('The function’s name.'),
})
export const named = <N extends string>(name: N, description: string) =>
  Type.Object({ [name]: nameIn(description) } as Record<N, ReturnType<typeof nameIn>>)

export const PageQuery = {
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 1000, description: 'At most this many. Default 100.' }),
  ),
  cursor: Type.Optional(Type.String({ maxLength: 1000, description: 'From `next` of the page before.' })),
}

export const Paged = exactly(PageQuery)

export const Description = Type.String({ maxLength: 4096, description: 'For people.' })
export const Config = Type.Record(Type.String({ maxLength: 256 }), Type.String({ maxLength: 65_536 }), {
  maxProperties: 256,
  description: 'Environment variables, by name.',
})
export const Access = Type.Enum(['public', 'private'], {
  description: '`public`: anybody may call it. `private`: only with a token of the project.',
})
