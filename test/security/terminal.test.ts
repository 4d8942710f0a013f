import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderFields, renderTable } from '../../src/cli/output/table.ts'

// Sets the clipboard, retitles the window, goes up a line and rewrites it; the last is the same in one character.
const HOSTILE = '\x1b]52;c;cm0gLXJmIH4=\x07 \x1b]0;root\x07 \x1b[1A\x1b[2Kall is well \u009b31m \r'

test('what a tenant wrote cannot drive the terminal of who looks at it', () => {
  const shown = [
    ...renderFields([['description', HOSTILE]]),
    ...renderTable([HOSTILE], [{ title: 'description', cell: text => text }], undefined),
  ].join('\n')
  assert.doesNotMatch(shown, /(?!\n)\p{Cc}/u)
  assert.match(shown, /\\x1b\]52;c;cm0gLXJmIH4=\\x07/)
})
