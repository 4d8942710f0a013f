import { fileURLToPath } from 'node:url'

/** A function of the platform's own that does what a well-known image does. */
export interface StandIn {
  readonly environment: string
  readonly contract: string
  /** Its one file, on this machine. */
  readonly path: string
  readonly entry: string
}

/** By the image's name, whatever its tag. What each does is told in docs/containers.md. */
const STAND_INS: Readonly<Record<string, StandIn>> = {
  'iron/hello': standIn('stdio', 'hello.mjs'),
  'fnproject/hello': standIn('fn', 'fn-hello.mjs'),
  'openstackqinling/alpine-test': standIn('stdio', 'greet.mjs'),
  'lingxiankong/sleep': standIn('stdio', 'sleep.mjs'),
}

const DOCKER_HUB = /^(?:docker\.io|index\.docker\.io|registry\.hub\.docker\.com)\//

/** What stands in for the image of this reference, where no registry is asked; nothing for one that is named by its digest. */
export function standInFor(reference: string): StandIn | undefined {
  const name = reference.replace(DOCKER_HUB, '').replace(/:[\w.-]{1,128}$/, '')
  return Object.hasOwn(STAND_INS, name) ? STAND_INS[name] : undefined
}

function standIn(contract: string, file: string): StandIn {
  const path = fileURLToPath(new URL(`stand-ins/${file}`, import.meta.url))
  return { environment: 'nodejs', contract, path, entry: file }
}
