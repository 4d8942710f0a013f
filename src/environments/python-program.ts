/** The server's Python, for environments whose runner is written in it. */
export { pythonCommand, pythonEnvironment, pythonMounts } from './python/environment.ts'
