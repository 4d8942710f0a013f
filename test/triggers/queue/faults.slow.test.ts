/** What goes wrong around a whole server that reads a real RabbitMQ. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib'
import { RabbitMq, rabbitmqMissing } from '../../support/brokers/rabbitmq.ts'
import { ServerProcess, until } from '../../support/server-process.ts'
import { Site } from '../../support/site.ts'

/** Answers with the message and whether it came again, after a moment. */
const SLOW =
  'export default async request => { const text = await request.text(); await new Promise(r => setTimeout(r, 200)); return `${text} ${request.headers.get("atelier-redelivered") ?? "first"}` }'

interface Seen {
  readonly status: { readonly state: string; readonly lastError?: string; readonly details?: Details }
}
interface Details {
  readonly connection: string
  readonly inHand: number
  readonly running: number
}

suite('queue triggers in trouble', { skip: rabbitmqMissing ?? false, timeout: 300_000 }, () => {
  let site: Site
  let broker: RabbitMq
  let connection: ChannelModel
  let channel: ConfirmChannel
  let server: ServerProcess

  before(async () => {
    site = await Site.open('127.0.0.1')
    broker = await RabbitMq.start(site)
    connection = await connect(broker.url)
    channel = await connection.createConfirmChannel()
    server = await ServerProcess.start({ flags: ['--source-allow', '127.0.0.0/8'] })
  })

  after(async () => {
    await server?.dispose()
    await connection?.close()
    await site?.close()
  })

  test('a function that is deleted with messages in hand loses none of them', async () => {
    const answers = await queues('work', 'answers')
    await deployAndRead('work', 'answers')
    await publish('work', 60)
    await until('some are handled', () => answers.length >= 5)
    await until('some are in hand', async () => (await details('work')).running > 0)
    const deleted = await server.api('DELETE', '/v1/apps/default/functions/slow')
    assert.equal(deleted.status, 204, deleted.text)
    assert.equal((await server.api('GET', '/v1/triggers/work')).status, 404, 'it goes with its function')
    await until('nobody reads', async () => !(await broker.isRead('work')))
    const { messageCount } = await channel.checkQueue('work')
    assert.ok(messageCount > 0, 'messages are left at the broker')
    // Whatever the broker does not have any more was answered: nothing else is acknowledged.
    const handled = new Set(answers.map(numberOf))
    assert.ok(handled.size + messageCount >= 60, `${handled.size} answered, ${messageCount} left`)

    await deployAndRead('work', 'answers')
    await until('all are handled', () => new Set(answers.map(numberOf)).size === 60, 120_000)
    assert.ok(
      answers.some(each => each.endsWith(' true')),
      'what had been in hand says that it came again',
    )
  })

  test('what a killed server had in hand comes again, marked, and nothing is lost', async () => {
    const answers = await queues('killed', 'killed-answers')
    await deployAndRead('killed', 'killed-answers')
    await publish('killed', 60)
    await until('some are handled', () => answers.length >= 5)
    await server.kill()
    server = await ServerProcess.start({ home: server.home, flags: ['--source-allow', '127.0.0.0/8'] })
    await until('all are handled', () => new Set(answers.map(numberOf)).size === 60, 120_000)
    assert.ok(answers.some(each => each.endsWith(' true')))
  })

  /** Two empty queues; what comes into the second one, as text. */
  async function queues(events: string, answers: string): Promise<readonly string[]> {
    for (const name of [events, answers]) await channel.assertQueue(name, { durable: true })
    const read: string[] = []
    await channel.consume(answers, message => message && read.push(message.content.toString()), {
      noAck: true,
    })
    return read
  }

  async function publish(queue: string, count: number): Promise<void> {
    for (let i = 0; i < count; i++) channel.sendToQueue(queue, Buffer.from(`${i}`), { persistent: true })
    await channel.waitForConfirms()
  }

  async function deployAndRead(queue: string, responseTopic: string): Promise<void> {
    const settings = { scaling: { instancesMax: 1 }, limits: { concurrency: 4 } }
    await server.deploy('slow', { 'index.mjs': SLOW }, settings)
    const config = { source: 'rabbitmq', servers: [broker.server], queue, responseTopic }
    const input = { name: queue, kind: 'queue', app: 'default', function: 'slow', config }
    const made = await server.api('POST', '/v1/triggers', input)
    assert.equal(made.status, 201, made.text)
    await until('it is connected', async () => (await details(queue)).connection === 'connected')
  }

  async function details(name: string): Promise<Details> {
    const { json } = await server.api<Seen>('GET', `/v1/triggers/${name}`)
    return json.status.details ?? { connection: 'none', inHand: 0, running: 0 }
  }
})

function numberOf(answer: string): string {
  return answer.split(' ')[0]!
}
