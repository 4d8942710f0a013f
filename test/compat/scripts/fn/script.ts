import type { Script } from '../../step.ts'
import { Client } from './client.ts'
import { thingSteps } from './things.ts'
import { triggerSteps } from './triggers.ts'

/** Fn's command line `fn`: the requests that its commands make of the API v2, by Go's HTTP client. */
export function fnScript(): Script {
  const client = new Client()
  const steps = [thingSteps, triggerSteps].flatMap(part => part(client))
  return { dialect: 'fn', client: 'fn', steps }
}
