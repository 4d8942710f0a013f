// Stands in for iron/hello: greets the world, or whom a JSON object on stdin names.
import { readFileSync } from 'node:fs'

let name
try {
  name = JSON.parse(readFileSync(0, 'utf8')).name
} catch {
  // No JSON, or nothing at all.
}
console.log(`Hello ${name || 'World'}!`)
