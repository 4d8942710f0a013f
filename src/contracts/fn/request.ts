import type { CallHead, LoadSpec } from '../contract.ts'
import { eachField } from '../fields.ts'
import type { RequestLine } from '../http1/request.ts'

/**
 * What the dialect of Fn says of a call that did not come through Fn's HTTP gateway: it goes to the kit as it is, and so does the answer.
 * No caller can say it, since the name is one of the platform's.
 */
const INTENT = 'atelier-fn-intent'
/** Known by these names to who writes the request, and left out or said anew there. */
const FRAMING = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

export function isPlain(head: CallHead): boolean {
  let intent = ''
  eachField(head, (field, value) => {
    if (field === INTENT) intent = value
  })
  return intent === 'invoke'
}

/** The call as Fn's gateway passes it on: what the caller said has names of its own, beside the body's type. Pure. */
export function fnRequest(head: CallHead, { project, app, name }: LoadSpec['function']): RequestLine {
  const fields: string[] = []
  let host = 'localhost'
  let scheme = 'http'
  const asItIs = isPlain(head)
  eachField(head, (field, value) => {
    if (field === 'host') host = value
    else if (field === 'x-forwarded-proto' && value === 'https') scheme = value
    if (field === INTENT) return
    if (asItIs) {
      // What frames the request is said once, by who writes it.
      if (field !== 'host') fields.push(FRAMING.has(field) ? field : canonical(field), value)
      return
    }
    if (field === 'content-type' || field === 'content-length') fields.push(field, value)
    if (field !== 'content-type') fields.push(`Fn-Http-H-${canonical(field)}`, value)
  })
  return {
    method: 'POST',
    target: '/call',
    extra: [
      'host',
      'localhost',
      'Fn-Call-Id',
      head.id,
      'Fn-Deadline',
      new Date(head.deadline).toISOString().replace(/\.\d+Z$/, 'Z'),
      ...(asItIs
        ? []
        : [
            'Fn-Intent',
            'httprequest',
            'Fn-Http-Method',
            head.method,
            'Fn-Http-Request-Url',
            `${scheme}://${host}${head.target}`,
          ]),
      'Fn-Fn-Id',
      `${project}.${app}.${name}`,
    ],
    fields,
  }
}

/** `x-call-id` as `X-Call-Id`: some kits compare names as they are. */
function canonical(name: string): string {
  return name.replaceAll(/(^|-)[a-z]/g, letter => letter.toUpperCase())
}
