/** The server's Python, for environments whose runner is written in it. */
export {
  isOfQinling,
  planOfQinling,
  pythonCommand,
  pythonEnvironment,
  pythonMounts,
} from './python/environment.ts'
