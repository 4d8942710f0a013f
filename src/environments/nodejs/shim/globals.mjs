// Shows the light classes to the code as `Request`, `Response`, `Headers` and `fetch`.
//
// They are declared in the global scope instead of assigned to the global object: a declaration shadows the
// property for every module, and leaves Node's own, lazily made ones in place for `native.mjs`.
import { runInThisContext } from 'node:vm'
import { LightHeaders } from './headers.mjs'
import { native } from './native.mjs'
import { LightRequest } from './request.mjs'
import { LightResponse } from './response.mjs'

const toNative = input => (LightRequest.is(input) ? input.toNative() : input)

/** Node's own Request, made when first used, that also takes a LightRequest and knows it as an instance. */
const RequestGlobal = new Proxy(function () {}.bind(), {
  construct(_, [input, ...rest], target) {
    const own = native.Request
    return Reflect.construct(own, [toNative(input), ...rest], target === RequestGlobal ? own : target)
  },
  get(_, key) {
    if (key === Symbol.hasInstance) return value => LightRequest.is(value) || native.isRequest(value)
    return native.Request[key]
  },
})

export function declareGlobals() {
  const declare = runInThisContext(
    'let Request, Response, Headers, fetch; (a, b, c, d) => { Request = a; Response = b; Headers = c; fetch = d }',
  )
  declare(RequestGlobal, LightResponse, LightHeaders, function fetch(input, init) {
    return globalThis.fetch(toNative(input), init)
  })
}
