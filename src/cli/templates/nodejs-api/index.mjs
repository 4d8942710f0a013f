import { addNote, getNote, listNotes } from './notes.mjs'

const routes = [
  ['GET', new URLPattern({ pathname: '/notes' }), () => Response.json(listNotes())],
  ['POST', new URLPattern({ pathname: '/notes' }), create],
  ['GET', new URLPattern({ pathname: '/notes/:id' }), (_, { id }) => found(getNote(id))],
]

export default async function api(request) {
  for (const [method, pattern, handle] of routes) {
    const match = pattern.exec(request.url)
    if (match && method === request.method) return await handle(request, match.pathname.groups)
  }
  return problem(404, 'Try GET /notes, POST /notes or GET /notes/1.')
}

async function create(request) {
  let input
  try {
    input = await request.json()
  } catch {
    return problem(400, 'The body is not JSON.')
  }
  if (typeof input?.text !== 'string' || input.text === '') return problem(400, 'text is missing.')
  return Response.json(addNote(input.text), { status: 201 })
}

function found(note) {
  return note ? Response.json(note) : problem(404, 'There is no such note.')
}

function problem(status, detail) {
  return Response.json({ status, detail }, { status, headers: { 'content-type': 'application/problem+json' } })
}
