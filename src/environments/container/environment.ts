import type { Environment } from '../environment.ts'

const REVISION = 'oci-1'

/** Container images: nothing of ours is in them, and their program speaks its contract itself. */
export const containerEnvironment: Environment = {
  name: 'container',
  description: 'Container images, run by Docker or Podman',
  contract: 'http',
  entryHelp: 'the image, which a deploy with "image" pulls and pins',
  isImage: true,
  startsWithCode: true,
  // Whether an engine is there is seen when an image is pulled: it may come up later than the server.
  probe: async () => ({
    ready: true,
    runtimeVersion: 'OCI',
    revision: REVISION,
    launch: { environment: 'container', command: [], env: {}, mounts: [] },
  }),
  detects: () => false,
  defaultEntry: () => undefined,
  // A shim of ours, which contract frames needs, is in no image.
  commandFor: (contract, entry) => (contract === 'frames' ? undefined : { command: [], image: entry }),
  // The package is a note of which image it is, or code for a runtime in it that takes files as they are.
  buildPlan: () => ({ lockFiles: [], dependencySteps: [], dependencyFolder: undefined, checkSteps: [] }),
}
