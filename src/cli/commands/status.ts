import { printable } from '../output/styles.ts'
import type { CommandSpec } from '../spec.ts'

export const status: CommandSpec = {
  name: 'status',
  summary: 'Show how the server is and how it isolates code',
  examples: [
    ['atelier status', 'version, isolation, environments, instances'],
    ['atelier status -o json', 'for a monitor'],
  ],
  async run({ context }) {
    const client = await context.client()
    const body = await client.get<Readonly<Record<string, unknown>>>('/v1/status')
    await context.result(body, () => [`server  ${client.login.url}`, ...outline(body, 0)])
  },
}

/** Any body as an indented outline, so that what a newer server adds is shown too. */
function outline(value: Readonly<Record<string, unknown>>, depth: number): string[] {
  const indent = '  '.repeat(depth)
  const width = Math.max(0, ...Object.keys(value).map(key => titleOf(key).length))
  return Object.entries(value).flatMap(([key, one]) => {
    if (one === undefined || one === null) return []
    if (Array.isArray(one)) {
      if (one.length === 0) return []
      return [`${indent}${titleOf(key)}`, ...one.flatMap((item: unknown) => listItem(item, depth + 1))]
    }
    if (isRecord(one)) return [`${indent}${titleOf(key)}`, ...outline(one, depth + 1)]
    return [`${indent}${titleOf(key).padEnd(width)}  ${printable(String(one))}`]
  })
}

function listItem(item: unknown, depth: number): string[] {
  if (!isRecord(item)) return [`${'  '.repeat(depth)}- ${printable(String(item))}`]
  const [first, ...more] = outline(item, depth)
  const text = [first?.trim(), ...more.map(line => line.trim())]
    .filter(Boolean)
    .map(line => line!.replace(/ {2,}/, ' '))
  return [`${'  '.repeat(depth)}- ${text.join(', ')}`]
}

/** `memoryLimit` reads `memory limit`. */
function titleOf(key: string): string {
  return key.replace(
    /([a-z])([A-Z])/g,
    (_, before: string, after: string) => `${before} ${after.toLowerCase()}`,
  )
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
