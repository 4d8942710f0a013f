import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { headersVariable } from '../../src/environments/nodejs/npm.ts'

test('node-gyp is told of the headers by the name that it knows, which a newer npm does not warn of', t => {
  const npm = mkdtempSync(join(tmpdir(), 'atelier-npm-'))
  t.after(() => rmSync(npm, { recursive: true, force: true }))
  assert.equal(headersVariable(npm), 'npm_config_nodedir', 'where its node-gyp is elsewhere')
  const lib = join(npm, 'node_modules/node-gyp/lib')
  mkdirSync(lib, { recursive: true })
  writeFileSync(join(lib, 'node-gyp.js'), 'const prefix = /^npm_config_/i')
  assert.equal(headersVariable(npm), 'npm_config_nodedir')
  writeFileSync(join(lib, 'node-gyp.js'), 'const prefix = /^npm_package_config_node_gyp_/i')
  assert.equal(headersVariable(npm), 'npm_package_config_node_gyp_nodedir')
})
