import type { Clock } from '../../core/index.ts'
import type { Contract } from '../contract.ts'
import { needStart, processEnv } from '../process-env.ts'
import { STDIO_CAPABILITIES, STDIO_HTTP_CAPABILITIES } from './capabilities.ts'
import { configEntries } from './environment.ts'
import { HotLink } from './hot.ts'
import { OnceLink } from './once.ts'

/** A process for each call: IronFunctions' and Picasso's format `default`. */
export function createStdioContract(clock: Clock): Contract {
  return {
    name: 'stdio',
    capabilities: STDIO_CAPABILITIES,
    prepare(start) {
      const spec = needStart(start)
      return {
        process: { env: { ...processEnv(spec), ...configEntries(spec.config) }, stdin: true, held: true },
        takesStdout: true,
        open: (access, events) => new OnceLink(access, events, clock),
      }
    },
  }
}

/** A process for many calls, one after the other: IronFunctions' format `http`. */
export function createStdioHttpContract(): Contract {
  return {
    name: 'stdio-http',
    capabilities: STDIO_HTTP_CAPABILITIES,
    prepare(start) {
      const spec = needStart(start)
      const config = configEntries(spec.config)
      return {
        process: { env: { ...processEnv(spec), ...config, FN_FORMAT: 'http' }, stdin: true },
        takesStdout: true,
        open: (access, events) => new HotLink(access, events, config),
      }
    },
  }
}
