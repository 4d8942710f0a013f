/** Prometheus' text format, version 0.0.4: what `/metrics` answers. */
export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export type Labels = Readonly<Record<string, string>>

/** One value of a metric. */
export interface Sample {
  readonly labels: Labels
  readonly value: number
}

/** A metric with all its values, read when somebody asks. */
export interface Family {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** What a value is called beyond the name (`_sum`) is its `suffix`. */
  read(): Iterable<Sample & { readonly suffix?: string }>
}

/** A family with one value and no labels. */
export function single(name: string, type: 'counter' | 'gauge', help: string, read: () => number): Family {
  return { name, type, help, read: () => [{ labels: {}, value: read() }] }
}

export function expose(families: Iterable<Family>): string {
  let text = ''
  for (const { name, help, type, read } of families) {
    text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`
    for (const { suffix = '', labels, value } of read())
      text += `${name}${suffix}${labelText(labels)} ${number(value)}\n`
  }
  return text
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escape(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' }

function escape(value: string): string {
  return value.replaceAll(/[\\"\n]/g, found => ESCAPES[found]!)
}

function number(value: number): string {
  if (value === Infinity) return '+Inf'
  return value === -Infinity ? '-Inf' : String(value)
}
