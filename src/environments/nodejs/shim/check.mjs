// The build's last step: is there an entry file, and can it be parsed? Nothing of the code runs.
// node check.mjs <folder> <entry>

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { relative } from 'node:path'
import { parseEntry } from './entry.mjs'

const [directory, entry] = process.argv.slice(2)
try {
  const { file } = parseEntry(directory, entry)
  if (/\.[mc]?ts$/.test(file)) {
    // Types that are erased leave the code; what cannot be erased (an enum) is named with its place.
    stripTypeScriptTypes(readFileSync(file, 'utf8'))
    console.log(`${relative(directory, file)}: types can be stripped`)
  } else {
    const { status } = spawnSync(process.execPath, ['--check', file], { stdio: 'inherit' })
    if (status !== 0) process.exit(1)
    console.log(`${relative(directory, file)}: syntax is right`)
  }
} catch (error) {
  console.error(error.message)
  process.exit(1)
}
