// As in Qinling's Node runtimes: `handler(context, input)`; what it returns, or its promise resolves with, is the output as JSON.

import { Custom } from './answer.mjs'
import { LightHeaders } from './headers.mjs'

const TIMEOUT = 'Function execution timeout.'
const FAILED = 'Function invocation error'

export function qinling(target) {
  return async call => {
    const { text, from } = call.headerLines
    const timeoutMs = Number(LightHeaders.parse(text, from).get('qinling-timeout-ms') ?? Number.NaN)
    const body = await call.readAll()
    const input = body.length === 0 ? null : JSON.parse(body.toString())
    const started = performance.now()
    const { ok, output } = await within(timeoutMs, () => target({}, input))
    const seconds = Math.round((performance.now() - started) / 1000)
    const lines = `\ncontent-type: application/json\nqinling-duration: ${seconds}`
    return new Custom(answer => answer.sendParts(ok ? 200 : 500, lines, output))
  }
}

/** The output as JSON, and whether it is one. */
async function within(timeoutMs, run) {
  let timer
  const late = new Promise(resolve => {
    if (timeoutMs > 0)
      timer = setTimeout(() => resolve({ ok: false, output: JSON.stringify(TIMEOUT) }), timeoutMs)
  })
  try {
    return await Promise.race([invoke(run), late])
  } finally {
    clearTimeout(timer)
  }
}

async function invoke(run) {
  try {
    return { ok: true, output: JSON.stringify((await run()) ?? null) ?? 'null' }
  } catch (error) {
    console.error(error)
    return { ok: false, output: JSON.stringify(FAILED) }
  }
}
