import type { Backend, Capabilities, Launch, RunResult, RunSpec, Sandbox, SandboxSpec } from './backend.ts'

/** What a composed backend needs of the one for images. */
type ImageBackend = Pick<Backend, 'capabilities' | 'start' | 'sweep' | 'close'>

/**
 * One backend of two: what has an image is started by `images`, all else, and every command of a build, by `local`.
 * `onTrouble` hears when the leftovers of images could not be removed, which keeps no server from starting.
 */
export function composeBackends(
  local: Backend,
  images: ImageBackend,
  onTrouble: (message: string, cause: unknown) => void,
): Backend {
  return {
    name: local.name,
    capabilities(launch?: Launch): Capabilities {
      if (launch?.image !== undefined) return images.capabilities(launch)
      const own = local.capabilities(launch)
      return launch === undefined ? { ...own, notes: [...own.notes, ...images.capabilities().notes] } : own
    },
    ...(local.check && { check: launch => local.check!(launch) }),
    start: (spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> =>
      (spec.launch.image === undefined ? local : images).start(spec, signal),
    run: (spec: RunSpec, signal: AbortSignal): Promise<RunResult> => local.run(spec, signal),
    async sweep() {
      const [ours, theirs] = await Promise.all([
        local.sweep(),
        images.sweep().catch((error: unknown) => {
          onTrouble('containers of an earlier server could not be looked for', error)
          return 0
        }),
      ])
      return ours + theirs
    },
    async close() {
      await Promise.all([local.close(), images.close()])
    },
  }
}
