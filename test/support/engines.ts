import { DockerEngine, dockerUnavailable } from './docker.ts'
import { type Engine, engineUnavailable, PodmanEngine } from './engine.ts'

/** The engines that the suites run over, or why this machine cannot run one. */
export const ENGINES: readonly {
  readonly name: string
  readonly skip: string | false
  /** `registry`: one, `host:port` on loopback, that speaks HTTP without encryption. */
  start(options?: { readonly registry?: string }): Promise<Engine>
}[] = [
  { name: 'Podman', skip: engineUnavailable(), start: options => PodmanEngine.start(options) },
  // Docker takes registries on loopback as they are.
  { name: 'Docker', skip: dockerUnavailable(), start: () => DockerEngine.start() },
]
