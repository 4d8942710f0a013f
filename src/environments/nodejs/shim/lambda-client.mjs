// Starts AWS's own client for Lambda's Runtime API, which the package brings: each of its releases keeps its program elsewhere.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const NAME = 'aws-lambda-ric'
const [, , directory, handler] = process.argv
const folder = join(directory, 'node_modules', NAME)

let bin
try {
  bin = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).bin
} catch {
  console.error(
    `The package has no ${NAME}: add it to the dependencies of package.json, or name a bootstrap as the entry.`,
  )
  process.exit(1)
}
const program = join(folder, typeof bin === 'string' ? bin : bin[NAME])
process.argv = [process.argv[0], program, handler]
await import(pathToFileURL(program))
