import type { Clock } from '../../core/index.ts'
import type { Contract, StartSpec } from '../contract.ts'
import { portOf, START_MS_DEFAULT } from '../http1/server.ts'
import { functionName, needStart, processEnv } from '../process-env.ts'
import { LAMBDA_CAPABILITIES } from './capabilities.ts'
import { LAMBDA_EVENT_SETTING, lambdaHandlerOf } from './handler.ts'
import { LambdaLink } from './link.ts'

const PORT_DEFAULT = 9001

/** AWS Lambda's Runtime API: its runtimes and custom ones (`bootstrap`) run as they are. */
export function createLambdaContract(clock: Clock): Contract {
  return {
    name: 'lambda',
    capabilities: LAMBDA_CAPABILITIES,
    prepare(start) {
      const spec = needStart(start)
      const port = portOf(spec, PORT_DEFAULT)
      const link = new LambdaLink(
        {
          name: functionName(spec),
          arn: arnOf(spec),
          concurrency: spec.concurrency,
          isRaw: spec.config[LAMBDA_EVENT_SETTING] === 'body',
          startMs: spec.choice.startMs ?? START_MS_DEFAULT,
        },
        clock,
      )
      return {
        process: {
          env: runtimeEnv(spec, port),
          // The runtime asks for work as the first thing that it does.
          beforeStart: async inside => link.serve(await inside.listen({ port })),
        },
        open(access, events) {
          link.opened(access, events)
          return link
        },
        discard: () => link.destroy(),
      }
    },
  }
}

function runtimeEnv(spec: StartSpec, port: number): Record<string, string> {
  const { name, version } = spec.function
  const handler = spec.choice.functionName ?? (spec.isImage === true ? undefined : spec.entry)
  return {
    ...(spec.isImage !== true && { TZ: ':UTC', LANG: 'en_US.UTF-8' }),
    ...(handler !== undefined && { _HANDLER: lambdaHandlerOf(handler) }),
    ...processEnv(spec),
    AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
    // AWS's images say of themselves where these are.
    ...(spec.isImage !== true && {
      LAMBDA_TASK_ROOT: spec.directory ?? '/function',
      LAMBDA_RUNTIME_DIR: '/var/runtime',
    }),
    AWS_LAMBDA_FUNCTION_NAME: name,
    AWS_LAMBDA_FUNCTION_VERSION: String(version),
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(spec.memoryMiB),
    AWS_LAMBDA_LOG_GROUP_NAME: `/atelier/${functionName(spec)}`,
    AWS_LAMBDA_LOG_STREAM_NAME: spec.instance,
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    ...(spec.concurrency > 1 && { AWS_LAMBDA_MAX_CONCURRENCY: String(spec.concurrency) }),
  }
}

/** Not a name in AWS, though with its parts where libraries look for them. */
function arnOf({ function: { project, app, name, version } }: StartSpec): string {
  return `arn:atelier:lambda:local:${project}:function:${app}.${name}:${version}`
}
