import type { Script } from '../../step.ts'
import { appSteps } from './apps.ts'
import { Client } from './client.ts'
import { routeSteps } from './routes.ts'
import { runSteps } from './runs.ts'

/**
 * `openstack fn …` of python-picassoclient, which no registry has any more: the requests that its commands were seen to make, header
 * by header, and what they rely on in the answers.
 */
export function picassoScript(): Script {
  const client = new Client()
  const steps = [appSteps, routeSteps, runSteps].flatMap(part => part(client))
  return { dialect: 'picasso', client: 'openstack fn', steps }
}
