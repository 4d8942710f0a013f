// Node's own fetch family is made at the first touch of a global, which costs 30 ms. Most functions never need it, so
// everything here touches them as late as it can.

const tagOf = value => Object.prototype.toString.call(value)

export const native = {
  get Request() {
    return globalThis.Request
  },
  get Response() {
    return globalThis.Response
  },
  // What has not the right tag is no instance, and asking further would load the class.
  isRequest: value => tagOf(value) === '[object Request]' && value instanceof globalThis.Request,
  isResponse: value => tagOf(value) === '[object Response]' && value instanceof globalThis.Response,
  isHeaders: value => tagOf(value) === '[object Headers]' && value instanceof globalThis.Headers,
}
