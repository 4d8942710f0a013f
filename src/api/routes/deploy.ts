import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { DeployEvent, DeployResult } from '../../control/index.ts'
import type { Principal } from '../../core/index.ts'
import { tokenOf } from '../authentication.ts'
import { DeploySettings, digestDeployUpload, readDeployUpload } from '../deploy-upload.ts'
import { LineStream } from '../line-stream.ts'
import { operation } from '../operation.ts'
import { API_LIMITS_DEFAULT, type ApiParts } from '../parts.ts'
import { explain, logProblem, problemOf } from '../problem.ts'
import { FunctionParams } from '../schemas/inputs.ts'
import { ref } from '../schemas/model.ts'
import { DeployResultSchema } from '../schemas/nouns.ts'
import { Type } from '../schemas/type.ts'
import { functionView, versionView } from '../views.ts'

export function deployRoutes(server: FastifyInstance, { control, status, log, limits }: ApiParts): void {
  const { packageBytesMax, heartbeatMs } = { ...API_LIMITS_DEFAULT, ...limits }

  operation(server, {
    method: 'POST',
    path: '/apps/{app}/functions/{function}/deploy',
    id: 'deploy',
    tag: 'functions',
    summary: 'Deploy: build a package, publish a version and make it live',
    description:
      'Multipart, in this order: `settings` (JSON; may be left out) and `package` (a zip, tar, tar.gz or a single source file; left out, the live version’s is used again). App and function are made when they are new. All or nothing: a failure leaves what was live untouched, and a caller who leaves cancels the build. An `Idempotency-Key` stands for settings and package together: the same again gets the same answer without a build, anything else is 409. With `Accept: application/x-ndjson` the answer is a line for each event as it happens, the last of kind `result` or `error`.',
    params: FunctionParams,
    idempotent: true,
    digestBody: request => digestDeployUpload(request, packageBytesMax),
    multipart: Type.Object({
      settings: Type.Optional(DeploySettings),
      package: Type.Optional(Type.String({ format: 'binary' })),
    }),
    answers: {
      201: ref(DeployResultSchema, 'A new version is published.'),
      200: ref(
        DeployResultSchema,
        'Nothing has changed, so nothing was published; or the lines of progress.',
      ),
    },
    errors: [
      'BUILD_FAILED',
      'PACKAGE_INVALID',
      'QUOTA_EXCEEDED',
      'BODY_TOO_LARGE',
      'UNSUPPORTED_MEDIA_TYPE',
      'STORAGE_FULL',
    ],
    handle: async ({ by, params, request, reply }) => {
      const left = new AbortController()
      reply.raw.once('close', () => {
        if (!reply.raw.writableFinished) left.abort()
      })
      const upload = await readDeployUpload(request, packageBytesMax, left.signal)
      const wanted = {
        ...upload.settings,
        app: params.app,
        name: params.function,
        callerToken: tokenOf(request),
        ...(upload.package && { package: upload.package }),
      }
      const run = (progress: (event: DeployEvent) => void) =>
        control.deploy(by, wanted, progress, left.signal).finally(() => {
          upload.discard()
          request.bodyDigest = upload.digest() ?? null
        })

      if (wantsLines(request)) {
        reply.code(200).type('application/x-ndjson')
        return progressOf(run, by, request, reply)
      }
      const result = await run(() => {})
      reply.code(result.created ? 201 : 200)
      return resultView(result, by)
    },
  })

  /** The answer as lines; the deploy runs on behind it. */
  function progressOf(
    run: (progress: (event: DeployEvent) => void) => Promise<DeployResult>,
    by: Principal,
    request: FastifyRequest,
    reply: FastifyReply,
  ): LineStream {
    const lines = new LineStream(heartbeatMs)
    run(event => lines.say(event, event.kind !== 'log')).then(
      result => lines.finish({ kind: 'result', ...resultView(result, by) }),
      (thrown: unknown) => {
        const error = explain(thrown)
        logProblem(error, request, log)
        request.answerCounts = false
        if (!reply.raw.destroyed) lines.finish({ kind: 'error', problem: problemOf(error, request.id) })
      },
    )
    return lines
  }

  function resultView(result: DeployResult, by: Principal) {
    return {
      function: functionView(result.function, by, status().routerUrl),
      version: versionView(result.version),
      created: result.created,
      url: result.url,
    }
  }
}

function wantsLines(request: FastifyRequest): boolean {
  return request.headers.accept?.includes('application/x-ndjson') ?? false
}
