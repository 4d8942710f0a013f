import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { usage } from '../failure.ts'
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

const DIGEST_ARG: ArgSpec = {
  syntax: '<digest>',
  help: 'Digest of the package, as "atelier package list" shows it',
}

const list: CommandSpec = {
  name: 'list',
  aliases: ['ls'],
  summary: 'List packages, newest first',
  options: [LIMIT_OPTION],
  examples: [['atelier package list', 'all of the project']],
  async run({ context, options }) {
    const items = await (await context.client()).all<WirePackage>(
      '/v1/packages',
      {},
      limitOf(options, Number.POSITIVE_INFINITY),
    )
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
      'atelier package show sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae --build-log',
      'how it was built',
    ],
  ],
  async run({ context, args, options }) {
    const client = await context.client()
    const path = pathOf(args[0]!)
    if (options.flag('buildLog')) {
      const answer = await client.send('GET', `${path}/build-log`, { headers: { accept: 'text/plain' } })
      return await pipeline(answer, process.stdout, { end: false })
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
    { syntax: '[file]', help: 'Where to write it ("-": stdout; default: DIGEST.tar)', completes: 'file' },
  ],
  examples: [
    [
      'atelier package download sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae source.tar',
      'into a file',
    ],
  ],
  async run({ context, args }) {
    const answer = await (await context.client()).send('GET', `${pathOf(args[0]!)}/content`, {
      headers: { accept: '*/*' },
    })
    const target = args[1] ?? `${args[0]!.replace('sha256:', '').slice(0, 12)}.tar`
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

function pathOf(digest: string): string {
  if (!/^sha256:[0-9a-f]{64}$/.test(digest))
    throw usage(`${JSON.stringify(digest)} is not a digest`, '"atelier package list" shows them.')
  return `/v1/packages/${digest}`
}

export const packageGroup: GroupSpec = {
  name: 'package',
  aliases: ['packages'],
  summary: 'Look at deployed source code and its build log',
  commands: [list, show, download],
}
