import { AtelierError, invalidField } from '../core/index.ts'

const DATE = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?$/

/** A JSON object of a request, field by field. What is wrong throws INVALID_INPUT with the field's name. */
export class Fields {
  readonly #values: Readonly<Record<string, unknown>>
  readonly #path: string

  private constructor(values: object, path: string) {
    this.#values = values as Readonly<Record<string, unknown>>
    this.#path = path
  }

  /** The object that a body has under `name`. */
  static of(body: unknown, name: string): Fields {
    return Fields.from((isObject(body) ? body : {})[name], name)
  }

  static from(value: unknown, path: string): Fields {
    if (!isObject(value)) throw invalidField(path, 'must be an object')
    return new Fields(value, path)
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#values, name) && this.#values[name] !== undefined
  }

  raw(name: string): unknown {
    return this.has(name) ? this.#values[name] : undefined
  }

  object(name: string): Fields {
    return Fields.from(this.raw(name), this.#at(name))
  }

  text(name: string): string {
    const value = this.raw(name)
    if (typeof value !== 'string') throw invalidField(this.#at(name), 'must be a text')
    return value
  }

  /** `undefined` for what is missing or null. */
  textIfAny(name: string): string | undefined {
    return this.textOrNull(name) ?? undefined
  }

  /** `null` stays what it is: it takes away what was there. */
  textOrNull(name: string): string | null | undefined {
    const value = this.raw(name)
    return value === undefined || value === null ? value : this.text(name)
  }

  flag(name: string): boolean {
    const value = this.raw(name)
    if (typeof value !== 'boolean') throw invalidField(this.#at(name), 'must be true or false')
    return value
  }

  flagIfAny(name: string): boolean | undefined {
    const value = this.raw(name)
    return value === undefined || value === null ? undefined : this.flag(name)
  }

  integerIfAny(name: string): number | undefined {
    const value = this.raw(name)
    if (value === undefined || value === null) return undefined
    if (!Number.isSafeInteger(value)) throw invalidField(this.#at(name), 'must be a whole number')
    return value as number
  }

  /** Epoch milliseconds; a time without a zone is in UTC. */
  timeIfAny(name: string): number | undefined {
    const text = this.textIfAny(name)
    if (text === undefined) return undefined
    const parts = DATE.exec(text)
    const ms = parts
      ? Date.parse(`${parts[1]}T${parts[2]}${(parts[3] ?? '').slice(0, 4)}${parts[4] ?? 'Z'}`)
      : Number.NaN
    if (Number.isNaN(ms))
      throw invalidField(this.#at(name), 'must be a time such as 2030-01-01T00:00:00.000000Z')
    return ms
  }

  listIfAny(name: string): readonly unknown[] | undefined {
    const value = this.raw(name)
    if (value === undefined || value === null) return undefined
    if (!Array.isArray(value)) throw invalidField(this.#at(name), 'must be a list')
    return value
  }

  /** Throws NOT_IMPLEMENTED when a field says more than nothing: it would be ignored, and somebody would rely on it. */
  refuse(names: readonly string[]): void {
    for (const name of names) {
      const value = this.raw(name)
      const isNothing =
        value === undefined ||
        value === null ||
        value === false ||
        (typeof value === 'object' && Object.keys(value).length === 0)
      if (!isNothing)
        throw new AtelierError('NOT_IMPLEMENTED', `${this.#at(name)} is not offered here: leave it out.`)
    }
  }

  #at(name: string): string {
    return `${this.#path}.${name}`
  }
}

/** The ids or names of roles in a list of `{"id"}` or `{"name"}`; here both are the same. */
export function rolesOf(fields: Fields): readonly string[] | undefined {
  return fields.listIfAny('roles')?.map(each => {
    const role = Fields.from(each, 'roles')
    return role.textIfAny('id') ?? role.text('name')
  })
}

/** A flag of a query: it is enough that it is there. */
export function isSet(query: unknown, name: string): boolean {
  const value = queryText(query, name)
  return value !== undefined && !['0', 'false', 'no'].includes(value.toLowerCase())
}

/** One value of a query; the last one when it is there twice. */
export function queryText(query: unknown, name: string): string | undefined {
  const value = isObject(query) && Object.hasOwn(query, name) ? query[name] : undefined
  const one = Array.isArray(value) ? (value.at(-1) as unknown) : value
  return typeof one === 'string' ? one : undefined
}

/** `enabled` of a query, when it is there. */
export function queryFlag(query: unknown, name: string): boolean | undefined {
  return queryText(query, name) === undefined ? undefined : isSet(query, name)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
