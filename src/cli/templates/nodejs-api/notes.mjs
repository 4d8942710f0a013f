// Kept in the memory of one instance, and gone with it: enough to try things, then use a database.
const NOTES_MAX = 1000
const notes = new Map()
let count = 0

export function listNotes() {
  return [...notes.values()]
}

export function getNote(id) {
  return notes.get(id)
}

export function addNote(text) {
  const note = { id: String(++count), text }
  notes.set(note.id, note)
  if (notes.size > NOTES_MAX) notes.delete(notes.keys().next().value)
  return note
}
