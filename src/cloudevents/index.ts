export {
  type AttributeValue,
  attributeOf,
  attributesOf,
  type CloudEvent,
  createEvent,
} from './event.ts'
export { checkFilter, type EventFilter, filterErrors, matches, matchesAttributes } from './filter.ts'
export {
  type ContentMode,
  type HttpMessage,
  type ParsedMessage,
  parseHttp,
  toBatch,
  toHttpBinary,
  toStructured,
} from './http.ts'
export { attributeText, type CallAnswer, eventsOfCall } from './of-call.ts'
export { isMediaType, isUriReference, parseTime } from './values.ts'
