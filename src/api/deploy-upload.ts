import { createHash, type Hash } from 'node:crypto'
import { type Readable, Transform } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { Multipart, MultipartFile, MultipartValue } from '@fastify/multipart'
import { Ajv, type ValidateFunction } from 'ajv'
import type { FastifyRequest } from 'fastify'
import { AtelierError } from '../core/index.ts'
import { fromFastify, inputError, invalid } from './input.ts'
import { AsyncChangeSchema } from './schemas/async.ts'
import { IsolationSchema } from './schemas/common.ts'
import { Access, Config, Description, exactly } from './schemas/inputs.ts'
import { ContractChoiceSchema } from './schemas/nouns.ts'
import { type Static, Type } from './schemas/type.ts'

const SETTINGS_BYTES_MAX = 1024 * 1024
const FILE_NAME_MAX = 255

const count = (description: string, minimum = 1) => Type.Optional(Type.Integer({ minimum, description }))

/** What a deploy may say beside the package; everything may be left out. */
export const DeploySettings = exactly(
  {
    description: Type.Optional(Description),
    access: Type.Optional(Access),
    image: Type.Optional(
      Type.String({
        maxLength: 500,
        description: 'A container image instead of a package; it is pulled, and pinned by its digest.',
      }),
    ),
    imageSecret: Type.Optional(
      Type.String({ description: 'Name of the secret with `user:password` for the image’s registry.' }),
    ),
    environment: Type.Optional(Type.String({ description: 'Default: detected from the files.' })),
    contract: Type.Optional(
      Type.Union([Type.String(), ContractChoiceSchema], {
        description: 'How the platform talks to the code; a name is enough. Default: the environment’s own.',
      }),
    ),
    entry: Type.Optional(
      Type.String({ maxLength: 1024, description: 'What to call: `file#export`, `module:function`.' }),
    ),
    config: Type.Optional(Config),
    secrets: Type.Optional(
      Type.Array(Type.String(), { maxItems: 100, description: 'Names of secrets the code sees.' }),
    ),
    limits: Type.Optional(
      exactly({
        memoryMiB: count('Memory of one instance.'),
        cpuMillicores: count('Processor share; 1000 is one core.'),
        timeoutMs: count('Longest time of one call.'),
        concurrency: count('Calls that one instance may hold at once.'),
        tmpMiB: count('Size of the private /tmp.', 0),
        processesMax: count('Processes and threads.'),
        openFilesMax: count('Open files.'),
      }),
    ),
    scaling: Type.Optional(
      exactly({
        instancesMin: count('Kept even when idle.', 0),
        instancesMax: count('Never more than this.'),
        idleMs: count('How long an idle instance is kept.', 0),
      }),
    ),
    network: Type.Optional(Type.Enum(['none', 'outbound'])),
    isolation: Type.Optional(IsolationSchema),
    tokenRoles: Type.Optional(
      Type.Array(Type.String({ maxLength: 255 }), {
        maxItems: 20,
        description: 'Roles that you lend to the code: each call is given a token of the project with them.',
      }),
    ),
    async: Type.Optional(AsyncChangeSchema),
    publishOnly: Type.Optional(
      Type.Boolean({ description: 'Publish, and leave the live alias where it is.' }),
    ),
  },
  {
    examples: [
      { environment: 'nodejs', entry: 'index.js#handler', limits: { memoryMiB: 256 }, access: 'public' },
    ],
  },
)

export interface DeployUpload {
  readonly settings: Static<typeof DeploySettings>
  readonly package: { readonly source: Readable; readonly fileName: string } | undefined
  /** Lets the rest of the body run off, so that the answer reaches a caller that still sends. */
  readonly discard: () => void
  /** What tells settings and package from others; `undefined` until the package was read to its end. */
  readonly digest: () => string | undefined
}

/** Reads the parts up to the package, which streams on into the deploy; nothing of it is held in memory. */
export async function readDeployUpload(
  request: FastifyRequest,
  packageBytesMax: number,
  signal: AbortSignal,
): Promise<DeployUpload> {
  const limits = { fieldSize: SETTINGS_BYTES_MAX, fields: 1, files: 1, fileSize: Number.POSITIVE_INFINITY }
  const parts = request.parts({ limits })
  let settings: Static<typeof DeploySettings> | undefined
  for (;;) {
    const { value: part, done } = await parts.next()
    if (done) break
    if (part.type === 'field' && part.fieldname === 'settings') settings = parseSettings(part)
    else if (part.type === 'file' && part.fieldname === 'package') {
      const fileName = fileNameOf(part)
      const hash = createHash('sha256').update(`${JSON.stringify(settings)}\n${fileName}\n`)
      const source = bounded(part, packageBytesMax, { hash, signal, last: nothingAfter(parts.next()) })
      const discard = () => {
        source.destroy()
        part.file.resume()
      }
      const digest = digestOnce(hash)
      return {
        settings: settings ?? {},
        package: { source, fileName },
        discard,
        digest: () => (source.writableFinished ? digest() : undefined),
      }
    } else {
      request.raw.resume()
      throw misplaced(
        part.fieldname,
        `is not known here; there are "settings" and, after it, the file "package"`,
      )
    }
  }
  if (settings === undefined) throw misplaced('package', 'is missing, and "settings" too')
  const digest = digestOnce(createHash('sha256').update(JSON.stringify(settings)))
  return { settings, package: undefined, discard: () => {}, digest }
}

/** What `digest` of the upload says when it was read to its end, which this does. Rejects as reading it does. */
export async function digestDeployUpload(request: FastifyRequest, packageBytesMax: number): Promise<string> {
  const upload = await readDeployUpload(request, packageBytesMax, new AbortController().signal)
  if (upload.package) await finished(upload.package.source.resume())
  return upload.digest() ?? ''
}

/** A hash gives its digest once. */
function digestOnce(hash: Hash): () => string {
  let digest: string | undefined
  return () => (digest ??= hash.digest('hex'))
}

let validate: ValidateFunction | undefined

function parseSettings(part: MultipartValue): Static<typeof DeploySettings> {
  if (part.valueTruncated)
    throw new AtelierError('BODY_TOO_LARGE', 'The part "settings" is larger than 1 MiB.')
  let value = part.value
  if (typeof value === 'string') {
    try {
      value = JSON.parse(value)
    } catch {
      throw misplaced('settings', 'is not valid JSON')
    }
  }
  validate ??= new Ajv({ allErrors: true, strict: false }).compile(DeploySettings)
  if (!validate(value))
    throw invalid((validate.errors ?? []).slice(0, 20).map(one => inputError(one, 'body')))
  return value as Static<typeof DeploySettings>
}

/** What is wrong with what follows the package, or that it breaks off. Settings there would not have counted. */
async function nothingAfter(next: Promise<IteratorResult<Multipart>>): Promise<AtelierError | undefined> {
  try {
    const { value: part, done } = await next
    return done ? undefined : misplaced(part.fieldname, 'comes after the package: send it before')
  } catch (error) {
    return fromFastify(error) ?? endsEarly()
  }
}

/** The file, added to the hash, and ended with an error when it grows too long, breaks off, or is not the `last` part. */
function bounded(
  part: MultipartFile,
  bytesMax: number,
  { hash, signal, last }: { hash: Hash; signal: AbortSignal; last: Promise<AtelierError | undefined> },
): Transform {
  let bytes = 0
  const target = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      hash.update(chunk)
      if (bytes <= bytesMax) return done(null, chunk)
      const mib = Math.floor(bytesMax / 1024 ** 2)
      done(
        new AtelierError(
          'BODY_TOO_LARGE',
          `The package is larger than ${mib} MiB, the most that this server takes.`,
        ),
      )
    },
    flush(done) {
      void last.then(error => done(error))
    },
  })
  // A body that breaks off may be told there alone.
  void last.then(error => error && target.destroy(error))
  // Nobody may listen yet when it fails; what matters is that the reader finds it failed.
  target.on('error', () => part.file.unpipe(target))
  part.file.once('error', () => target.destroy(endsEarly()))
  const cancel = () =>
    target.destroy(new AtelierError('CANCELLED', 'The caller left before the deploy was done.'))
  signal.addEventListener('abort', cancel, { once: true })
  target.once('close', () => signal.removeEventListener('abort', cancel))
  return part.file.pipe(target)
}

function endsEarly(): AtelierError {
  return new AtelierError('INVALID_INPUT', 'The package ends in the middle.')
}

/** The last segment of what the client calls the file; a name only, never a path. */
function fileNameOf(part: MultipartFile): string {
  const name = part.filename.split(/[/\\]/).at(-1) ?? ''
  return name.slice(0, FILE_NAME_MAX) || 'package'
}

function misplaced(name: string, detail: string): AtelierError {
  return new AtelierError('INVALID_INPUT', `The part ${JSON.stringify(name)} ${detail}.`, {
    errors: [{ pointer: `/${name}`, detail }],
  })
}
