import { lambdaHandlerOf } from '../../contracts/index.ts'

/** Where sandboxes see our own files for Node. */
export const SHIM_TARGET = '/opt/atelier/nodejs'
const FUNCTIONS_FRAMEWORK = 'node_modules/@google-cloud/functions-framework/build/src/main.js'
const SOURCE = /\.[mc]?[jt]s$/

/**
 * What Node runs of a package that is no function of ours: the program that the entry names, or the package's own runtime with it.
 * Arguments are paths inside the bundle and plain words.
 */
export function nodeProgram(contract: string, entry: string): string[] {
  const [file = '', name] = entry.split('#')
  switch (contract) {
    case 'lambda':
      // `index.mjs#handler` and `index.handler` are functions, `bootstrap.mjs` and `bootstrap.mjs#index.handler` a runtime.
      return (name === undefined ? SOURCE.test(file) : name.includes('.'))
        ? [inBundle(file)]
        : [`${SHIM_TARGET}/lambda-client.mjs`, inBundle(''), lambdaHandlerOf(entry)]
    case 'functions-framework':
      return [
        inBundle(FUNCTIONS_FRAMEWORK),
        '--source',
        inBundle(file),
        ...(name === undefined ? [] : ['--target', name]),
      ]
    default:
      // What comes after the file has no meaning for a program.
      return [inBundle(file)]
  }
}

function inBundle(path: string): string {
  return `/function/${path}`
}
