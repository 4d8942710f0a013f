import assert from 'node:assert/strict'
import { type Answer, answerOf, type Problem } from './server-client.ts'
import type { ServerProcess } from './server-process.ts'

const PASSWORD = 'a password of a stranger'

/** A member of a project of its own, which has nothing to do with the one of the tests. */
export interface Stranger {
  readonly token: string
  ask<T = Problem>(
    method: string,
    path: string,
    body?: FormData | object,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer<T>>
}

/** Makes the project and its user on a whole server, and logs in. */
export async function aStranger(server: ServerProcess, name = 'stranger'): Promise<Stranger> {
  const project = `project-of-${name}`
  const made = await server.api('POST', '/v1/projects', { name: project })
  assert.equal(made.status, 201, made.text)
  const user = await server.api('POST', '/v1/users', { name, password: PASSWORD })
  assert.equal(user.status, 201, user.text)
  const granted = await server.api('PUT', `/v1/projects/${project}/grants`, { user: name, role: 'member' })
  assert.ok(granted.status < 300, granted.text)
  const login = await fetch(`${server.url}/v1/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user: name, password: PASSWORD, project }),
  })
  const { token } = (await login.json()) as { token: string }
  return {
    token,
    ask: async <T>(
      method: string,
      path: string,
      body?: FormData | object,
      headers: Readonly<Record<string, string>> = {},
    ) =>
      answerOf<T>(
        await fetch(server.url + path, {
          method,
          headers: {
            authorization: `Bearer ${token}`,
            ...(body !== undefined && !(body instanceof FormData) && { 'content-type': 'application/json' }),
            ...headers,
          },
          ...(body !== undefined && { body: body instanceof FormData ? body : JSON.stringify(body) }),
        }),
      ),
  }
}
