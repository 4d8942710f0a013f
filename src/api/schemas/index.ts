import * as async from './async.ts'
import * as calls from './calls.ts'
import type { ModelSchema } from './model.ts'
import * as nouns from './nouns.ts'
import { ProblemSchema } from './problem.ts'
import * as projects from './projects.ts'
import * as server from './server.ts'
import * as topics from './topics.ts'
import * as triggers from './triggers.ts'

/** Every schema that has a name of its own. */
export const models: readonly ModelSchema[] = [
  ...Object.values(nouns),
  ...Object.values(projects),
  ...Object.values(calls),
  ...Object.values(async),
  ...Object.values(topics),
  ...Object.values(server),
  ...Object.values(triggers),
  ProblemSchema,
].filter((schema): schema is ModelSchema => '$id' in schema)
