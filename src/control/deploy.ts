import type { BuildResult, ReceivedPackage } from '../builder/index.ts'
import { AtelierError, checkName, type Principal } from '../core/index.ts'
import type { Collector } from './collect.ts'
import { type Context, need } from './context.ts'
import type { Control, DeployEvent, DeployRequest, DeployResult } from './control.ts'
import { grantFor } from './function-token.ts'
import { findFunction, type LiveVersion, liveVersion } from './functions.ts'
import { checkImage, withImage } from './image-deploy.ts'
import { InHand } from './in-hand.ts'
import { checkIsolation } from './isolation.ts'
import { type Language, languageOf } from './language.ts'
import { LogEnd } from './log-end.ts'
import { publishVersion } from './publish-version.ts'
import { checkRoomForPackage } from './quota.ts'
import { settle } from './settings.ts'
import { keepPackage, type Source } from './stored.ts'
import { Turns, throwIfCancelled } from './turns.ts'

const WAITING_MAX = 100 // deploys of one function; each takes seconds
const RECEIVED_AT_ONCE_MAX = 4 // packages of one project

/**
 * From source to live. The slow things (receiving, building) happen first and change nothing that anybody sees; then one
 * transaction makes all of it visible. A crash before the commit leaves a package and a bundle that the collector removes.
 */
export function deployOperation(context: Context, collector: Collector): Pick<Control, 'deploy'> {
  const { store, clock, options } = context
  const turns = new Turns(WAITING_MAX)
  const inHand = new InHand(context)
  let receives = 0

  return {
    async deploy(by, asked, progress, signal) {
      need(by, 'write')
      checkName(asked.app, 'app')
      checkName(asked.name, 'name')
      throwIfCancelled(signal)
      // Before a large upload, not after it; and again on what is live when it is this deploy's turn.
      settle(asked, await liveOf(by, asked), place())
      if (asked.package) await checkRoomForPackage(store.db, by)
      const request = await withImage(context, by, asked, progress, signal)
      return collector.whileDeploying(async () => {
        const received = request.package && (await receive(by, request.package, progress, signal))
        const leave = received && inHand.hold(received)
        try {
          return await turns.take(
            `${by.projectId}/${request.app}/${request.name}`,
            () => buildAndPublish(by, request, received, progress, signal),
            signal,
          )
        } finally {
          await leave?.()
        }
      })
    },
  }

  async function receive(
    by: Principal,
    { source, fileName }: NonNullable<DeployRequest['package']>,
    progress: (event: DeployEvent) => void,
    signal: AbortSignal,
  ): Promise<ReceivedPackage> {
    // Each takes disk that nothing counts yet.
    const line = `${by.projectId} receives ${receives++ % RECEIVED_AT_ONCE_MAX}`
    const received = await turns.take(line, () => options.builder.receive(source, fileName, signal), signal)
    const count = received.files.length
    const detail = `${count} ${count === 1 ? 'file' : 'files'}, ${received.sizeBytes} bytes, ${received.digest}`
    progress({ kind: 'stage', stage: 'receive', detail })
    return received
  }

  async function buildAndPublish(
    by: Principal,
    request: DeployRequest,
    received: ReceivedPackage | undefined,
    progress: (event: DeployEvent) => void,
    signal: AbortSignal,
  ): Promise<DeployResult> {
    const live = await liveOf(by, request)
    const settled = settle(request, live, place())
    const source = received ?? (await livePackage(by, request, live))
    const language = await languageOf(options.environments, {
      environment: request.environment,
      entry: request.entry,
      contract: settled.contract?.name,
      files: received?.files,
      live: live?.version.spec,
    })
    checkImage(language.environment, request)
    const isolation = await checkIsolation(context, by, {
      asked: request.isolation,
      settled: settled.isolation,
      environment: language.environment,
    })
    const settings = { ...settled, isolation }
    const built = await build(by, source, language, progress, signal)
    throwIfCancelled(signal)
    const lent = live?.version.spec.token
    const token = request.keepsToken
      ? lent
      : await grantFor(context, by, settings.tokenRoles, lent, request.callerToken)
    const done = await context.commit(async (tx, touched) => {
      const result = await publishVersion(
        tx,
        { by, request, source, settings, language, built, token },
        options,
      )
      touched.functions.add(result.function.id)
      return result
    })
    progress({
      kind: 'stage',
      stage: 'publish',
      detail: done.created
        ? `version ${done.version.number}`
        : `nothing changed since version ${done.version.number}`,
    })
    return { ...done, url: `${options.routerUrl()}/${by.projectName}/${request.app}/${request.name}` }
  }

  async function build(
    by: Principal,
    source: Source,
    language: Language,
    progress: (event: DeployEvent) => void,
    signal: AbortSignal,
  ): Promise<BuildResult> {
    const log = new LogEnd()
    try {
      return await options.builder.build(
        {
          packageDigest: source.digest,
          environment: language.environment.name,
          entry: language.entry,
          isProgram: language.isProgram,
          cacheScope: by.projectId,
          onEvent(event) {
            if (event.kind === 'log') log.add(event.text)
            progress(event)
          },
        },
        signal,
      )
    } catch (error) {
      // The log of a failed build is what one wants to read most.
      if (error instanceof AtelierError && error.code === 'BUILD_FAILED')
        await context.commit(tx => keepPackage(tx, by, source, log.text || error.message, clock.now()))
      throw error
    }
  }

  function place(): Parameters<typeof settle>[2] {
    return { networkAvailable: options.networkAvailable, memoryMiBMax: options.memoryMiBMax }
  }

  async function liveOf(by: Principal, { app, name }: DeployRequest): Promise<LiveVersion | undefined> {
    const record = await findFunction(store.db, by, app, name)
    return record && liveVersion(store.db, record.id)
  }

  async function livePackage(
    by: Principal,
    request: DeployRequest,
    live: LiveVersion | undefined,
  ): Promise<Source> {
    const row =
      live &&
      (await store.db
        .selectFrom('packages')
        .selectAll()
        .where('project_id', '=', by.projectId)
        .where('digest', '=', live.version.spec.packageDigest)
        .executeTakeFirst())
    if (row) return { digest: row.digest, sizeBytes: row.size_bytes, fileName: row.file_name }
    throw new AtelierError('INVALID_INPUT', `The first deploy of "${request.name}" needs a package.`, {
      errors: [{ pointer: 'package', detail: 'is missing' }],
    })
  }
}
