/**
 * Runs in the build's sandbox: node build.mjs download|compile <folder> <entry> <binary> [program]
 *
 * Adds a main function that serves the handler, and the module `atelier` beside this file; then lets Go do its work. What
 * is added to the sources is taken away again. A `program` has its own main function; its entry is its folder.
 */
import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

const [phase, root, entry, binary, kind] = process.argv.slice(2)
const MODULE = join(import.meta.dirname, 'module')
const MAIN_FOLDER = 'atelier_main'
const MAIN_FILE = 'zz_atelier_main.go'
const cache = process.env.ATELIER_CACHE

process.chdir(root)
const isProgram = kind === 'program'
const { folder, name } = isProgram ? parseProgram(entry) : parse(entry)
const target = readPackage(folder)
const module = setUpModule()
const main = isProgram ? checkMain() : writeMain()
try {
  if (phase === 'download')
    go(['list', '-deps', '-e=false', '-f', '{{if .Module}}{{.Module}}{{end}}', main.path], { quiet: true })
  else {
    mkdirSync(join(root, '.atelier'), { recursive: true })
    const offline = { GOPROXY: 'off', GOSUMDB: 'off' }
    go(['build', '-trimpath', '-buildvcs=false', '-ldflags=-s -w', '-o', join(root, binary), main.path], {
      env: offline,
    })
    console.log(`${binary}: ${(statSync(join(root, binary)).size / 1e6).toFixed(1)} MB`)
  }
} finally {
  cleanUp()
}

function cleanUp() {
  if (main?.added !== undefined) rmSync(main.added, { recursive: true, force: true })
}

function parse(text) {
  const [, folder = '.', name = ''] = /^(?:([^:]*):)?([^:]*)$/.exec(text) ?? []
  if (name === '' || !/^\p{Lu}[\p{L}\p{Nd}_]*$/u.test(name))
    fail(
      `The entry ${JSON.stringify(text)} is not of the form Handler or folder:Handler; the name begins with a capital letter.`,
    )
  return { folder: inPackage(folder), name }
}

/** The folder alone; a handler's name after it has no meaning for a program, nor has one without a folder. */
function parseProgram(text) {
  const [first, name] = text.split(':')
  const isHandler = name === undefined && /^\p{Lu}[\p{L}\p{Nd}_]*$/u.test(first) && !existsSync(first)
  return { folder: inPackage(isHandler ? '.' : first) }
}

function inPackage(folder) {
  const clean = folder.replace(/^\.\/|\/+$/g, '') || '.'
  if (clean.startsWith('/') || clean.split('/').includes('..'))
    fail(`The entry's folder ${clean} is not in the package.`)
  return clean
}

/** What stands in the Go files of the entry's folder: the package's name and its exported functions and variables. */
function readPackage(where) {
  const files = existsSync(where)
    ? readdirSync(where).filter(
        file => file.endsWith('.go') && !file.endsWith('_test.go') && file !== MAIN_FILE,
      )
    : []
  if (files.length === 0) fail(`The entry names the folder ${where}, and there is no Go file in it.`)
  const names = new Set()
  let packageName
  let hasMain = false
  for (const file of files) {
    const text = readFileSync(join(where, file), 'utf8')
    packageName ??= /^package\s+(\w+)/m.exec(text)?.[1]
    hasMain ||= /^func\s+main\s*\(/m.test(text)
    for (const [, found] of text.matchAll(/^(?:func|var)\s+(\p{Lu}[\p{L}\p{Nd}_]*)/gmu)) names.add(found)
    // var ( … )
    for (const [, block] of text.matchAll(/^var\s*\(([\s\S]*?)^\)/gm))
      for (const [, found] of block.matchAll(/^\s*(\p{Lu}[\p{L}\p{Nd}_]*)/gmu)) names.add(found)
  }
  return { packageName, hasMain, names }
}

/** The module's path, with the module `atelier` among what it needs. */
function setUpModule() {
  if (!existsSync('go.mod')) writeFileSync('go.mod', 'module function\n\ngo 1.21\n')
  const path = /^module\s+"?([^\s"]+)/m.exec(readFileSync('go.mod', 'utf8'))?.[1]
  if (path === undefined) fail('go.mod names no module: it begins with "module example.org/name".')
  if (isProgram) return path
  go(['mod', 'edit', '-require=atelier@v0.0.0', `-replace=atelier=${MODULE}`])
  if (existsSync('vendor/modules.txt') && !existsSync('vendor/atelier')) {
    cpSync(MODULE, 'vendor/atelier', { recursive: true })
    appendFileSync(
      'vendor/modules.txt',
      `# atelier v0.0.0 => ${MODULE}\n## explicit; go 1.21\natelier\natelier/boot\n# atelier => ${MODULE}\n`,
    )
  }
  return path
}

/** A program as it is. */
function checkMain() {
  const { packageName, hasMain } = target
  const where = folder === '.' ? 'The root folder' : folder
  if (packageName !== 'main' || !hasMain)
    fail(
      `${where} is no program: with this contract it needs a package main with a func main. A program in another folder is named by the entry, as in cmd/server.`,
    )
  return { path: `./${folder}` }
}

/** The main function: beside the handler where that is in package main, else in a package of its own. */
function writeMain() {
  const { packageName, hasMain, names } = target
  if (!names.has(name)) {
    const found = names.size === 0 ? '' : ` It has: ${[...names].slice(0, 20).join(', ')}.`
    fail(`There is no func or var ${name} in ${folder === '.' ? 'the root folder' : folder}.${found}`)
  }
  if (packageName === 'main') {
    if (hasMain)
      fail(
        `${folder === '.' ? 'The root folder' : folder} has a func main beside ${name}: the platform brings its own. Move yours to another folder, for example cmd/.`,
      )
    const file = join(folder, MAIN_FILE)
    writeFileSync(
      file,
      `package main\n\nimport atelierplatform "atelier"\n\nfunc main() { atelierplatform.Serve(${name}) }\n`,
    )
    return { path: `./${folder}`, added: file }
  }
  mkdirSync(MAIN_FOLDER)
  const path = folder === '.' ? module : `${module}/${folder}`
  const text = `package main\n\nimport (\n\t"atelier"\n\tfunction ${JSON.stringify(path)}\n)\n\nfunc main() { atelier.Serve(function.${name}) }\n`
  writeFileSync(join(MAIN_FOLDER, 'main.go'), text)
  return { path: `./${MAIN_FOLDER}`, added: MAIN_FOLDER }
}

function go(args, { env = {}, quiet = false } = {}) {
  mkdirSync(join(cache, 'tmp'), { recursive: true })
  const vendored = existsSync('vendor/modules.txt')
  const settings = {
    ...process.env,
    CGO_ENABLED: '0',
    GOCACHE: join(cache, 'build'),
    GOMODCACHE: join(cache, 'modules'),
    GOPATH: join(cache, 'path'),
    GOTMPDIR: join(cache, 'tmp'),
    GOFLAGS: `-modcacherw -mod=${vendored ? 'vendor' : 'mod'}`,
    GOTELEMETRY: 'off',
    GOWORK: 'off',
    ...env,
  }
  const { status, error } = spawnSync('go', args, {
    env: settings,
    stdio: ['ignore', quiet ? 'ignore' : 'inherit', 'inherit'],
  })
  if (error) fail(`go could not be run: ${error.message}`)
  if (status !== 0) {
    cleanUp()
    process.exit(status ?? 1)
  }
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
