// From `file#export:convention` to the handler; the rules are in docs/environments.md.
import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { web } from './web.mjs'

const EXTENSIONS = ['.mjs', '.js', '.cjs', '.mts', '.ts', '.cts']

/** What wraps the code's handler; the less common ones are loaded when a function uses them. */
const CONVENTIONS = {
  web: async () => web,
  lambda: async () => (await import('./lambda.mjs')).lambda,
  fission: async () => (await import('./fission.mjs')).fission,
  http: async () => (await import('./http.mjs')).http,
  qinling: async () => (await import('./qinling.mjs')).qinling,
}

/** Imports the code. Resolves with its handler and a function that loads the handler's convention. */
export async function findHandler(directory, entry) {
  const { file, name, convention } = parseEntry(directory, entry)
  const exports = await import(pathToFileURL(file).href)
  const { target, exportName } =
    name === undefined ? pickExport(exports, entry) : namedExport(exports, name, entry)
  return { target, convention: CONVENTIONS[convention ?? conventionOf(target, exportName)] }
}

/** Reads an entry and finds its file. */
export function parseEntry(directory, entry) {
  const match = /^([^#]+?)(?:#([^:]+))?(?::([a-z]+))?$/.exec(entry)
  if (match === null)
    throw new Error(`The entry ${JSON.stringify(entry)} is not of the form file#export:convention.`)
  const [, path, name, convention] = match
  if (convention !== undefined && !Object.hasOwn(CONVENTIONS, convention)) {
    throw new Error(
      `There is no convention "${convention}" (in the entry ${entry}): use ${Object.keys(CONVENTIONS).join(', ')}.`,
    )
  }
  const file = findFile(directory, path)
  if (file !== undefined) return { file, name, convention }
  // As in Lambda: `index.handler` is the export `handler` of index.mjs, index.js …
  const dot = path.lastIndexOf('.')
  const lambdaFile = dot > 0 && name === undefined ? findFile(directory, path.slice(0, dot)) : undefined
  if (lambdaFile === undefined)
    throw new Error(`The entry names the file ${path}, and the package has no such file.`)
  return { file: lambdaFile, name: path.slice(dot + 1), convention: convention ?? 'lambda' }
}

function findFile(directory, path) {
  return ['', ...EXTENSIONS]
    .map(extension => resolve(directory, path + extension))
    .find(file => existsSync(file) && statSync(file).isFile())
}

function namedExport(exports, name, entry) {
  const target = exports[name] ?? exports.default?.[name]
  if (isHandler(target)) return { target, exportName: name }
  throw new Error(
    `The entry ${entry} names the export "${name}", and there is no such function. ${listExports(exports)}`,
  )
}

function pickExport(exports, entry) {
  // Of a CommonJS module `default` is all of module.exports.
  for (const scope of [exports, exports.default ?? {}]) {
    for (const name of ['default', 'handler']) {
      if (isHandler(scope[name])) return { target: scope[name], exportName: name }
    }
    const functions = Object.keys(scope).filter(name => typeof scope[name] === 'function')
    if (functions.length === 1) return { target: scope[functions[0]], exportName: functions[0] }
  }
  throw new Error(
    `${entry} exports no handler: export a function as default, or name one as in ${entry}#main. ${listExports(exports)} ` +
      'A server that listens by itself is deployed with the contract http.',
  )
}

function isHandler(value) {
  return typeof value === 'function' || (typeof value === 'object' && typeof value?.fetch === 'function')
}

function listExports(exports) {
  // Of a CommonJS module `default` is all that it exports, and no name that its author gave.
  const own = 'module.exports' in exports ? exports.default : { ...exports, ...exports.default }
  const names = Object.keys(own ?? {})
  return names.length === 0 ? 'It exports nothing.' : `It exports: ${names.slice(0, 20).join(', ')}.`
}

function conventionOf(target, exportName) {
  if (typeof target !== 'function') return 'web'
  if (exportName === 'handler') return 'lambda'
  const [first, second] = parameterNames(target)
  if (second === 'res' || second === 'response') return 'http'
  if (first === 'context' || first === 'ctx') return 'fission'
  return 'web'
}

function parameterNames(target) {
  const source = Function.prototype.toString.call(target)
  const match =
    /^(?:async\s+)?(?:function\s*\*?\s*[\w$]*\s*\(([^)]*)|\(([^)]*)|[\w$]+\s*\(([^)]*)|([\w$]+)\s*=>)/.exec(
      source,
    )
  const list = match?.[1] ?? match?.[2] ?? match?.[3] ?? match?.[4] ?? ''
  return list.split(',').map(parameter => /^\s*([\w$]*)/.exec(parameter)[1])
}
