import { DockerEngine, dockerUnavailable } from './docker.ts'
import { type Engine, engineUnavailable, PodmanEngine } from './engine.ts'

/** The engines that the suites run over, or why this machine cannot run one. */
export const ENGINES: readonly {
  readonly name: string
  readonly skip: string | false
  start(): Promise<Engine>
}[] = [
  { name: 'Podman', skip: engineUnavailable(), start: () => PodmanEngine.start() },
  { name: 'Docker', skip: dockerUnavailable(), start: () => DockerEngine.start() },
]
