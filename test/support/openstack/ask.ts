export interface Answer<T> {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body read as JSON; throws when it is none. */
  readonly json: T
}

export interface Ask {
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly body?: string | Uint8Array<ArrayBuffer>
}

/** One HTTP request; rejects with the whole answer unless its status is 2xx. */
export async function ask<T>(
  method: string,
  url: string,
  { headers, json, body }: Ask = {},
): Promise<Answer<T>> {
  const sent = json === undefined ? body : JSON.stringify(json)
  const response = await fetch(url, {
    method,
    headers: { ...(json !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(sent !== undefined && { body: sent }),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${url} answered ${response.status}: ${text.slice(0, 2000)}`)
  return {
    status: response.status,
    headers: response.headers,
    text,
    get json(): T {
      return JSON.parse(text) as T
    },
  }
}
