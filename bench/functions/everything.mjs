import { setTimeout as sleep } from 'node:timers/promises'

/** What a caller asks for in `?do=`: a function as good and as bad as functions are. */
const ACTS = {
  say: () => process.env.SAYS,
  echo: request => new Response(request.body),
  much: () => 'y'.repeat(2_000_000),
  stream: () => {
    let timer
    const body = new ReadableStream({
      start: sink => (timer = setInterval(() => sink.enqueue(Buffer.from('data: tick\n\n')), 50)),
      cancel: () => clearInterval(timer),
    })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  },
  chatter: () => {
    for (let line = 0; line < 200; line++) console.log(`line ${line} ${'x'.repeat(100)}`)
    return 'said'
  },
  fail: () => {
    throw new Error('as asked')
  },
  end: () => process.exit(3),
  hang: () => sleep(60_000),
}

export default request => ACTS[new URL(request.url).searchParams.get('do') ?? 'say'](request)
