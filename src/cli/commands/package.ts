import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import type { Client } from '../client/client.ts'
import { CliFailure, EXIT, usage } from '../failure.ts'
import { pour } from '../output/pour.ts'
import { renderFields } from '../output/table.ts'
import type { ArgSpec, CommandSpec, GroupSpec } from '../spec.ts'
import { showAgo, showBytes } from '../units.ts'
import { LIMIT_OPTION, limitOf } from './common.ts'

interface WirePackage {
  readonly digest: string
  readonly sizeBytes: number
  readonly fileName: string
  readonly createdAt: string
}

const LIST_HINT = '"atelier package list" shows them.'

const DIGEST_ARG: ArgSpec = {
  syntax: '<digest>',
  help: 'Digest of the package, or its beginning, as "atelier version list" shows it',
}

const list: CommandSpec = {
  name: 'list',
  aliases: ['ls'],
  summary: 'List packages, newest first',
  options: [LIMIT_OPTION],
  examples: [['atelier package list', 'all of the project']],
  async run({ context, options }) {
    const items = await (await context.client()).all<WirePackage>('/v1/packages', {}, limitOf(options))
    await context.list(
      items,
      [
        { title: 'DIGEST', cell: one => one.digest },
        { title: 'FILE', cell: one => one.fileName },
        { title: 'SIZE', cell: one => showBytes(one.sizeBytes), right: true },
        { title: 'CREATED', cell: one => showAgo(one.createdAt, Date.now()) },
      ],
      'There are no packages.',
    )
  },
}

const show: CommandSpec = {
  name: 'show',
  summary: 'Show one package, or the log of its build',
  args: [DIGEST_ARG],
  options: [{ flags: '--build-log', help: 'Print the log of its build instead' }],
  examples: [
    [
      'atelier package show sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae',
      'one package',
    ],
    [
      'atelier package show sha256:2c26b46b68ff --build-log',
      'how it was built; the beginning of the digest will do',
    ],
  ],
  async run({ context, args, options }) {
    const client = await context.client()
    const path = `/v1/packages/${await digestOf(client, args[0]!)}`
    if (options.flag('buildLog')) {
      const answer = await client.send('GET', `${path}/build-log`, { headers: { accept: 'text/plain' } })
      return await pour(answer)
    }
    const one = await client.get<WirePackage>(path)
    await context.result(one, () =>
      renderFields([
        ['digest', one.digest],
        ['file', one.fileName],
        ['size', showBytes(one.sizeBytes)],
        ['created', one.createdAt],
      ]),
    )
  },
}

const download: CommandSpec = {
  name: 'download',
  summary: 'Get the source code of a package back, as a tar archive',
  args: [
    DIGEST_ARG,
    {
      syntax: '[file]',
      help: 'Where to write it ("-": stdout; default: the first 12 characters of the digest, and .tar)',
      completes: 'file',
    },
  ],
  examples: [
    [
      'atelier package download sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae source.tar',
      'into a file',
    ],
  ],
  async run({ context, args }) {
    const client = await context.client()
    const digest = await digestOf(client, args[0]!)
    const answer = await client.send('GET', `/v1/packages/${digest}/content`, { headers: { accept: '*/*' } })
    const target = args[1] ?? `${digest.replace('sha256:', '').slice(0, 12)}.tar`
    if (target === '-') return await pipeline(answer, process.stdout, { end: false })
    const temporary = `${target}.part`
    try {
      await pipeline(answer, createWriteStream(temporary))
      await rename(temporary, target)
    } finally {
      await rm(temporary, { force: true }) // half a package is worse than none
    }
    context.print(target)
  },
}

/** The digest that is meant: as it is, or the one package whose digest begins so, as "atelier version list" shows it. */
async function digestOf(client: Client, text: string): Promise<string> {
  const [, start] = /^(?:sha256:)?([0-9a-f]{6,64})$/.exec(text) ?? []
  if (start === undefined)
    throw usage(`${JSON.stringify(text)} is neither a digest nor its first 6 characters or more`, LIST_HINT)
  if (start.length === 64) return `sha256:${start}`
  const all = await client.all<WirePackage>('/v1/packages', {}, Number.POSITIVE_INFINITY)
  const found = all.filter(one => one.digest.startsWith(`sha256:${start}`))
  if (found.length > 1) throw usage(`${text} begins ${found.length} digests`, 'Give more of its characters.')
  if (found.length === 0)
    throw new CliFailure(EXIT.notFound, `there is no package ${text}`, { hint: LIST_HINT })
  return found[0]!.digest
}

export const packageGroup: GroupSpec = {
  name: 'package',
  aliases: ['packages'],
  summary: 'Look at deployed source code and its build log',
  commands: [list, show, download],
}
