// What is played at a rehearsal: it touches what most functions touch.
export default function rehearsal(request, context) {
  void request.url
  void request.headers.get('accept')
  void context.invocationId
  return new Response('rehearsed', { headers: { 'content-type': 'text/plain' } })
}
