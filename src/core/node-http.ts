/**
 * Node's own HTTP. An `import` of `node:http` reads each of its exports, and some of them load the whole client behind
 * `fetch`: 40 ms of a start, and 14 MB that stay.
 */
export function nodeHttp(): typeof import('node:http') {
  return process.getBuiltinModule('node:http')
}
