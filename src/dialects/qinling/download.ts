import type { DialectRecord } from '../../control/index.ts'
import { QinlingError } from './answers.ts'
import { type Deployer, nameOf } from './deploy.ts'
import type { KeptFunction } from './kept.ts'
import type { Asked } from './routes.ts'

const NO_IMAGE = 'Download image function is not allowed.'

/** Answers with a function's package, or a version's, as it was sent. */
export async function sendPackage(
  { caller, reply }: Pick<Asked, 'caller' | 'reply'>,
  deployer: Deployer,
  found: DialectRecord<KeptFunction>,
  version: number,
): Promise<void> {
  if (found.body.code.source === 'image')
    throw new QinlingError(405, NO_IMAGE, { headers: { 'server-error-message': NO_IMAGE } })
  const by = await deployer.principalFor(caller, found.projectId)
  const archive = await deployer.archive(by, nameOf(found.id, version))
  if (archive === undefined)
    throw new QinlingError(404, `Package of function ${found.id} for project ${found.projectId} not found.`)
  const fileName = version === 0 ? found.id : `${found.id}_${version}`
  await reply
    .code(200)
    .header('content-disposition', `attachment; filename="${fileName}"`)
    .type('application/zip')
    .send(archive)
}
