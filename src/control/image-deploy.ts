import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { AtelierError, checkName, invalidField, type Principal } from '../core/index.ts'
import { type Environment, standInFor } from '../environments/index.ts'
import type { Context } from './context.ts'
import type { DeployEvent, DeployRequest } from './control.ts'
import { secretSource } from './secrets.ts'

const ENVIRONMENT = 'container'
const CONTRACT = 'http'
/** Contracts of runtimes that are given their code, which may come with the image. */
const CODE_CONTRACTS = ['fission', 'qinling']
const OURS: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }

/**
 * A deploy of an image as one of a package: the image is pulled and pinned, and the package is a note of which it is, unless there is
 * one for a runtime in it. An image that the platform has a stand-in for becomes that. Any other request is returned as it is.
 */
export async function withImage(
  { store, options }: Context,
  by: Principal,
  request: DeployRequest,
  progress: (event: DeployEvent) => void,
  signal: AbortSignal,
): Promise<DeployRequest> {
  const { image: reference, imageSecret } = request
  if (reference === undefined) {
    if (request.environment === ENVIRONMENT) throw invalidField('image', 'must name the image that is to run')
    if (imageSecret !== undefined) throw invalidField('imageSecret', 'is for deploys of an image')
    return request
  }
  for (const each of ['entry', 'environment'] as const)
    if (request[each] !== undefined && request[each] !== ENVIRONMENT)
      throw invalidField(each, 'cannot be given together with "image", which is all that runs')
  const contract = nameOf(request.contract)
  if (request.package !== undefined && !CODE_CONTRACTS.includes(contract ?? CONTRACT))
    throw invalidField(
      'package',
      `can be given together with "image" only for a runtime in it: with contract ${CODE_CONTRACTS.join(' or ')}`,
    )
  const standsIn = options.standIns === true ? await standIn(request, reference) : undefined
  if (standsIn !== undefined) {
    progress({ kind: 'stage', stage: 'pull', detail: `${reference}: the platform's own stand-in for it` })
    return standsIn
  }
  if (options.images === undefined)
    throw new AtelierError('UNAVAILABLE', 'This server runs no container images: it has no container engine.')
  const credentials = imageSecret === undefined ? undefined : await readSecret(imageSecret)
  progress({ kind: 'stage', stage: 'pull', detail: reference })
  const told = (text: string) => progress({ kind: 'log', stream: 'stdout', text: `${text}\n` })
  const { pinned, architecture } = await options.images.pull({ reference, credentials }, told, signal)
  const ours = OURS[process.arch] ?? process.arch
  if (architecture !== '' && architecture !== ours)
    throw new AtelierError(
      'BUILD_FAILED',
      `Image "${reference}" is for ${architecture}, and this machine is ${ours}.`,
    )
  const note = `${JSON.stringify({ reference, image: pinned }, undefined, 2)}\n`
  return {
    ...request,
    environment: ENVIRONMENT,
    entry: pinned,
    contract: request.contract ?? CONTRACT,
    package: request.package ?? { source: Readable.from([Buffer.from(note)]), fileName: 'image.json' },
  }

  async function readSecret(name: string): Promise<string | undefined> {
    checkName(name, 'imageSecret')
    const found = await secretSource(store, options.secretsKey)
      .read(by.projectId, [name])
      .catch((error: unknown) => {
        // To an instance that starts, a secret that is not there is the function's fault.
        if (error instanceof AtelierError && error.code === 'FUNCTION_LOAD_FAILED')
          throw invalidField('imageSecret', `names "${name}", which is not there: set it first`)
        throw error
      })
    return found[name]
  }
}

/** The deploy of what stands in for an image. One with code of its own, or another contract, means the image itself. */
async function standIn(request: DeployRequest, reference: string): Promise<DeployRequest | undefined> {
  const found = standInFor(reference)
  const { image: _, imageSecret: __, contract, ...rest } = request
  const fits = contract === undefined || nameOf(contract) === found?.contract
  if (found === undefined || !fits || request.package !== undefined) return undefined
  return {
    ...rest,
    environment: found.environment,
    entry: found.entry,
    contract: contract ?? found.contract,
    package: { source: Readable.from([await readFile(found.path)]), fileName: found.entry },
  }
}

function nameOf(contract: DeployRequest['contract']): string | undefined {
  return typeof contract === 'object' ? contract.name : contract
}

/** What runs an image runs the one that was pulled for it: neither code nor an entry can be put in its place. */
export function checkImage(environment: Environment, asked: DeployRequest): void {
  if (environment.isImage !== true || asked.image !== undefined) return
  if (asked.entry !== undefined)
    throw invalidField('entry', 'cannot be given for an image: deploy with "image"')
  if (asked.package !== undefined)
    throw invalidField(
      'environment',
      'is that of an image: name the language of this package, or deploy with "image"',
    )
}
