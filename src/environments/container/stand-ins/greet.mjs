// Stands in for openstackqinling/alpine-test: greets whom its input names.
import { readFileSync } from 'node:fs'

console.log(`Hello, ${readFileSync(0, 'utf8').trim() || 'World'}`)
