import type { Client } from '../client/client.ts'
import { isNotFound } from '../client/problem.ts'
import type { WireTrigger } from '../client/wire.ts'
import { CliFailure, EXIT } from '../failure.ts'
import type { ManifestTrigger } from './manifest.ts'

/** What a route is, or a trigger of another kind, where the manifest says nothing. Whether one is paused is not the manifest's alone. */
const UNSAID_OF_ROUTES = { host: null, methods: null, stripPrefix: false, access: null, cors: null }
const UNSAID = { format: 'native' }

/** Makes the manifest's triggers exist as it says. Those it does not name are left alone: others may have made them. */
export async function applyTriggers(
  client: Client,
  app: string,
  name: string,
  triggers: readonly ManifestTrigger[],
): Promise<void> {
  for (const { name: triggerName, kind, ...settings } of triggers) {
    const path = `/v1/triggers/${encodeURIComponent(triggerName)}`
    const before = await client.get<WireTrigger>(path).catch((error: unknown) => {
      if (isNotFound(error)) return undefined
      throw error
    })
    if (before === undefined)
      await client.request('POST', '/v1/triggers', {
        json: { name: triggerName, ...(kind && { kind }), ...settings, app, function: name },
      })
    else if (before.kind !== (kind ?? 'http'))
      throw new CliFailure(EXIT.conflict, `trigger ${triggerName} is of kind ${before.kind} already`, {
        hint: `The code is deployed. Remove the old one: atelier trigger delete ${triggerName}.`,
      })
    else if (before.app === app && before.function === name)
      await client.request('PATCH', path, {
        json: {
          ...(before.kind === 'http' ? UNSAID_OF_ROUTES : UNSAID),
          ...settings,
          ...configOver(before, settings.config),
        },
      })
    else
      throw new CliFailure(
        EXIT.conflict,
        `trigger ${triggerName} belongs to ${before.app}/${before.function} already`,
        {
          hint: `The code is deployed. Give the trigger another name in the manifest, or remove the other one: atelier trigger delete ${triggerName}.`,
        },
      )
  }
}

/** A change of the configuration after which it is what the manifest says: what that no longer has is removed. */
function configOver(before: WireTrigger, config: ManifestTrigger['config']) {
  if (before.kind === 'http' || config === undefined) return {}
  const gone = Object.keys(before.config).filter(field => !Object.hasOwn(config, field))
  return { config: { ...Object.fromEntries(gone.map(field => [field, null])), ...config } }
}
