import type { RabbitMq } from '../brokers/rabbitmq.ts'
import type { Daemon } from '../daemon.ts'
import { PYTHON, type Site, useWriteAheadLog } from '../site.ts'
import { ask } from './ask.ts'
import { authOptions, type Keystone } from './keystone.ts'

const PASTE = '/usr/share/aodh-common/api-paste.ini'

export interface EventAlarm {
  readonly name: string
  readonly eventType: string
  /** Field of the event (`traits.action`) and the text that it must equal. */
  readonly query: Readonly<Record<string, string>>
  readonly actions: readonly string[]
  readonly severity?: 'low' | 'moderate' | 'critical'
}

/** A real Aodh: API, event listener, evaluator of threshold alarms and notifier. */
export class Aodh {
  readonly url: string
  readonly #daemons: readonly Daemon[]

  private constructor(url: string, daemons: readonly Daemon[]) {
    this.url = url
    this.#daemons = daemons
  }

  static async start(site: Site, keystone: Keystone, broker: RabbitMq): Promise<Aodh> {
    const port = await site.freePort()
    const url = `http://${site.address}:${port}`
    const home = await site.folderAt('aodh')
    const conf = `${home}/aodh.conf`
    const auth = authOptions(keystone, await keystone.createServiceUser('aodh'))
    // The packaged file makes the API's authentication read the system's configuration.
    const mark = 'oslo_config_project = aodh'
    const paste = await site.run(['sed', `s#^${mark}#${mark}\\noslo_config_file = ${conf}#`, PASTE])
    await site.write('aodh/api-paste.ini', paste)
    await site.write('aodh/aodh.conf', aodhConfig(home, broker.oslo, auth))
    await site.run(['aodh-dbsync', '--config-file', conf])
    await useWriteAheadLog(site, `${home}/aodh.db`)
    const serve = await site.write('aodh/api.py', SERVE)
    const api = site.start('aodh-api', [PYTHON, serve, conf, site.address, `${port}`])
    const others = ['listener', 'notifier', 'evaluator'].map(each =>
      site.start(`aodh-${each}`, [`aodh-${each}`, '--config-file', conf], { stopMsMax: 8_000 }),
    )
    await api.ready(`Aodh answers at ${url}`, async () => (await fetch(url)).ok)
    // What is sent before its queue exists is lost.
    await others[0]!.ready('Aodh reads events', () => broker.isRead('alarm.all.sample'))
    await others[1]!.ready('Aodh reads alarms', () => broker.isRead('alarming.sample'))
    await keystone.createService('alarming', 'aodh', url)
    return new Aodh(url, [api, ...others])
  }

  /** Creates an alarm on events as the user of `token`; it calls its actions each time. Resolves with its id. */
  async createEventAlarm(token: string, alarm: EventAlarm): Promise<string> {
    const { json } = await ask<{ alarm_id: string }>('POST', `${this.url}/v2/alarms`, {
      headers: { 'x-auth-token': token },
      json: {
        name: alarm.name,
        type: 'event',
        event_rule: {
          event_type: alarm.eventType,
          query: Object.entries(alarm.query).map(([field, value]) => ({
            field,
            type: 'string',
            op: 'eq',
            value,
          })),
        },
        alarm_actions: alarm.actions,
        repeat_actions: true,
        severity: alarm.severity ?? 'low',
      },
    })
    return json.alarm_id
  }

  async stop(): Promise<void> {
    await Promise.all(this.#daemons.map(each => each.stop()))
  }
}

/** Alarms of a project are read anew for each event: by default a new one may wait a minute. */
function aodhConfig(home: string, broker: string, auth: string): string {
  return `[DEFAULT]
transport_url = ${broker}
use_stderr = true
event_alarm_cache_ttl = 0
[database]
connection = sqlite:///${home}/aodh.db
[api]
paste_config = ${home}/api-paste.ini
[evaluator]
evaluation_interval = 3
workers = 1
[listener]
workers = 1
[notifier]
workers = 1
[keystone_authtoken]
${auth}
[service_credentials]
${auth}
`
}

const SERVE = `import sys
conf, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.argv = ['aodh-api']
from aodh import service
from aodh.api import app
from waitress import serve
serve(app.load_app(service.prepare_service([], [conf])), host=host, port=port, threads=4)
`
