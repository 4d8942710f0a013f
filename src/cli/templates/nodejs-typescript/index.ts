import { convert, type Unit, units } from './units.ts'

// TypeScript runs as it is: types are taken away when the file is loaded.
export default function handler(request: Request): Response {
  const query = new URL(request.url).searchParams
  const value = Number(query.get('value') ?? '1')
  const from = query.get('from') ?? 'km'
  const to = query.get('to') ?? 'mi'
  if (!Number.isFinite(value)) return problem('value must be a number')
  if (!isUnit(from) || !isUnit(to)) return problem(`from and to must be one of ${units.join(', ')}`)
  return Response.json({ value, from, to, result: convert(value, from, to) })
}

function isUnit(text: string): text is Unit {
  return (units as readonly string[]).includes(text)
}

function problem(detail: string): Response {
  return Response.json({ status: 400, detail }, { status: 400 })
}
