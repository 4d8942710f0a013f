import { readFile } from 'node:fs/promises'
import type { RabbitMq } from '../brokers/rabbitmq.ts'
import type { Daemon } from '../daemon.ts'
import type { Site } from '../site.ts'

const DEFINITIONS = '/usr/lib/python3/dist-packages/ceilometer/pipeline/data/event_definitions.yaml'

/** A real notification agent of Ceilometer, which makes events of notifications and sends them to Aodh. */
export class Ceilometer {
  readonly #daemon: Daemon

  private constructor(daemon: Daemon) {
    this.#daemon = daemon
  }

  static async start(site: Site, broker: RabbitMq): Promise<Ceilometer> {
    const pipeline = await site.write('ceilometer/event_pipeline.yaml', EVENT_PIPELINE)
    const definitions = await site.write(
      'ceilometer/event_definitions.yaml',
      (await readFile(DEFINITIONS, 'utf8')) + SWIFT_DEFINITION,
    )
    const conf = await site.write(
      'ceilometer/ceilometer.conf',
      `[DEFAULT]
transport_url = ${broker.oslo}
event_pipeline_cfg_file = ${pipeline}
use_stderr = true
[event]
definitions_cfg_file = ${definitions}
drop_unmatched_notifications = true
[notification]
workers = 1
pipelines = event
messaging_urls = ${broker.oslo}
[publisher]
telemetry_secret = tests
`,
    )
    const command = ['ceilometer-agent-notification', '--config-file', conf]
    const daemon = site.start('ceilometer', command, { stopMsMax: 8_000 })
    await daemon.ready('Ceilometer reads notifications', () => broker.isRead('notifications.info'))
    return new Ceilometer(daemon)
  }

  stop(): Promise<void> {
    return this.#daemon.stop()
  }
}

const EVENT_PIPELINE = `sources:
  - name: everything
    events: ["*"]
    sinks: [alarms]
sinks:
  - name: alarms
    publishers: ["notifier://?topic=alarm.all"]
`

/** The stock definitions lose container and object; of several that match, the last one holds. */
const SWIFT_DEFINITION = `
- event_type: objectstore.http.request
  traits:
    project_id: {fields: payload.initiator.project_id}
    user_id: {fields: payload.initiator.id}
    action: {fields: payload.target.action}
    outcome: {fields: payload.outcome}
    container: {fields: payload.target.metadata.container}
    object: {fields: payload.target.metadata.object}
    path: {fields: payload.target.metadata.path}
`
