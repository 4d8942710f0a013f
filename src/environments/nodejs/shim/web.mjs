// The platform's own convention: `export default (request, context) => new Response(…)`, or an object with `fetch`.
import { LightRequest } from './request.mjs'

export function web(target) {
  const handler = typeof target === 'function' ? target : target.fetch.bind(target)
  return (call, context) => handler(new LightRequest(call), context)
}
