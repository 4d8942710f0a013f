import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { TestContext } from 'node:test'
import type { Principal } from '../../../src/core/index.ts'
import type { DialectParts } from '../../../src/dialects/dialect.ts'
import { qinling } from '../../../src/dialects/qinling/dialect.ts'
import { rawZip } from '../../builder/archives.ts'
import { DialectFixture } from '../../support/dialects.ts'

export const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
export const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/
export const NOBODY = '00000000-0000-4000-8000-000000000000'

export const PYTHON = 'openstackqinling/python3-runtime'

/** Records of a kind, many at once, as if a project had made them. */
export async function fill(
  cloud: Cloud,
  kind: string,
  projectId: string,
  count: number,
  body: unknown,
): Promise<void> {
  const { store, clock } = cloud.at.fixture
  const at = clock.now()
  const row = { kind, project_id: projectId, parent: '', key_hash: null, key_text: null, revision: 1 }
  for (let done = 0; done < count; done += FILLED_AT_ONCE) {
    const rows = Array.from({ length: Math.min(FILLED_AT_ONCE, count - done) }, (_, i) => ({
      ...row,
      id: `${kind} ${projectId.slice(-6)} ${done + i}`,
      body_json: JSON.stringify(body),
      created_at: at,
      updated_at: at,
    }))
    await store.transaction(tx => tx.insertInto('dialect_records').values(rows).execute())
  }
}

const FILLED_AT_ONCE = 500

type Asking = Parameters<DialectFixture['ask']>[2]
type Answer = Awaited<ReturnType<DialectFixture['ask']>>

/** Qinling on a real control plane, with an administrator, a user of project blue and one of project red. */
export class Cloud {
  readonly at: DialectFixture
  readonly admin: string
  readonly blue: string
  readonly red: string
  readonly bluePrincipal: Principal

  private constructor(at: DialectFixture, admin: string, blue: string, red: string, principal: Principal) {
    this.at = at
    this.admin = admin
    this.blue = blue
    this.red = red
    this.bluePrincipal = principal
  }

  static async open(t: TestContext, settings: Partial<DialectParts['settings']> = {}): Promise<Cloud> {
    const at = await DialectFixture.open(qinling, settings)
    t.after(() => at.dispose())
    const admin = await at.login('ops', 'admin')
    const blue = await at.login('blue')
    const red = await at.login('red')
    at.behaviour = () => output('"done"')
    return new Cloud(at, admin.token, blue.token, red.token, blue.principal)
  }

  /** One request as a user of project blue, unless said otherwise. */
  ask(method: string, path: string, asking: Asking = {}): Promise<Answer> {
    return this.at.ask(method, path, { token: this.blue, ...asking })
  }

  /** As `ask`; fails unless the answer has this status. */
  async must(status: number, method: string, path: string, asking: Asking = {}): Promise<Answer> {
    const answer = await this.ask(method, path, asking)
    assert.equal(answer.status, status, `${method} ${path}: ${answer.status} ${answer.text}`)
    return answer
  }

  /** Fails unless it is refused in all of Qinling's shapes, with this message. */
  async refused(
    status: number,
    message: string | RegExp,
    method: string,
    path: string,
    asking: Asking = {},
  ): Promise<Answer> {
    const answer = await this.must(status, method, path, asking)
    const { faultstring, faultcode, debuginfo, code } = answer.json
    if (typeof message === 'string') assert.equal(faultstring, message)
    else assert.match(faultstring, message)
    assert.deepEqual([faultcode, debuginfo, code], ['Client', null, status])
    return answer
  }

  async runtime(change: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const body = { image: PYTHON, ...change }
    return (await this.must(201, 'POST', '/v1/runtimes', { token: this.admin, body })).json.id
  }

  /** What has become of a runtime once its image was looked for. */
  async settled(id: string): Promise<string> {
    const path = `/v1/runtimes/${id}`
    for (let tries = 0; tries < 1_000; tries++) {
      const { status } = (await this.must(200, 'GET', path, { token: this.admin })).json
      if (status !== 'creating' && status !== 'upgrading') return status
    }
    throw new Error(`runtime ${id} was never settled`)
  }

  /** A function made of an archive. */
  async function(
    fields: Readonly<Record<string, string>> = {},
    archive: Buffer = zip('def main(**_): return 1'),
    token = this.blue,
  ): Promise<Answer> {
    const runtime = fields['runtime_id'] ?? (await this.runtime())
    return this.ask('POST', '/v1/functions', {
      token,
      form: form({ runtime_id: runtime, code: codeOf(archive), entry: 'main.main', ...fields }, archive),
    })
  }

  /** As `function`, which must work: its id. */
  async made(...given: Parameters<Cloud['function']>): Promise<string> {
    const answer = await this.function(...given)
    assert.equal(answer.status, 201, answer.text)
    return answer.json.id
  }
}

/** What a runtime answers. */
export function output(json: string, status = 200, duration = 0.031) {
  return { status, headers: ['qinling-duration', String(duration)], body: json }
}

export function zip(code: string, name = 'main.py'): Buffer {
  return rawZip([{ name, body: code }])
}

export function codeOf(archive: Buffer): string {
  return JSON.stringify({ source: 'package', md5sum: md5(archive) })
}

export function md5(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex')
}

export function form(fields: Readonly<Record<string, string>>, archive?: Buffer): FormData {
  const made = new FormData()
  for (const [name, value] of Object.entries(fields)) made.set(name, value)
  if (archive) made.set('package', new Blob([new Uint8Array(archive)]), 'package.zip')
  return made
}
