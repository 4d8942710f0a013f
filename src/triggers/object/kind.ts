import { type AddressPolicy, AtelierError, type EventTrigger, type GuardedNetwork } from '../../core/index.ts'
import type {
  CheckedConfig,
  HookAnswer,
  RunningTrigger,
  TriggerEvent,
  TriggerHost,
  TriggerKind,
} from '../kind.ts'
import { configErrors, type ObjectConfig, objectConfig } from './config.ts'
import { idFrom, toTriggerEvent } from './event.ts'
import { storeNetwork } from './network.ts'
import { BusConsumer } from './notifications.ts'
import { createHttpClient } from './poll/http.ts'
import { Poller } from './poll/poller.ts'
import { Receiver } from './receiver.ts'

/** Triggers of kind object. `addresses` says where those that connect by themselves may connect to. */
export function createObjectKind(addresses: AddressPolicy): TriggerKind {
  const network = storeNetwork(addresses)
  return {
    kind: 'object',
    summary:
      'Something happened to an object in Swift or an S3 store: told by the store, by a message bus, or seen in a listing.',
    configSchema: objectConfig,
    secretFields: [
      'notifications.password',
      's3.token',
      'poll.swift.password',
      'poll.swift.applicationCredentialSecret',
      'poll.s3.secretKey',
    ],
    hasUrl: true,
    check(given): CheckedConfig {
      const config = given as ObjectConfig
      const errors = configErrors(config)
      return errors.length > 0 ? { errors } : { config }
    },
    start: (trigger, host) => start(trigger, host, network),
    sample,
  }
}

function start(trigger: EventTrigger, host: TriggerHost, network: GuardedNetwork): RunningTrigger {
  const { source } = trigger.config as ObjectConfig
  if (source === 'notifications') return withoutUrl(trigger, new BusConsumer(trigger, host, network))
  if (source === 'poll') return withoutUrl(trigger, new Poller(trigger, host, createHttpClient(network)))
  return new Receiver(trigger, host)
}

/** Its URL exists like that of all of its kind, but nobody is expected there. */
function withoutUrl(trigger: EventTrigger, running: RunningTrigger): RunningTrigger {
  const { source } = trigger.config as ObjectConfig
  return Object.assign(running, {
    receive: (): Promise<HookAnswer> =>
      Promise.reject(
        new AtelierError(
          'CONFLICT',
          `This trigger takes no requests: its source is ${source}. It gets its events itself.`,
        ),
      ),
  })
}

function sample(trigger: EventTrigger, now: number): TriggerEvent {
  const { source, container = 'container', prefix = '', suffix = '' } = trigger.config as ObjectConfig
  return toTriggerEvent({
    id: idFrom('sample', trigger.id, String(now)),
    source: `atelier://sample/${source}`,
    happened: { event: 'written', container, object: `${prefix}sample${suffix}`, timeMs: now, sizeBytes: 0 },
  })
}
