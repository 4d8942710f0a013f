import type { FastifyInstance } from 'fastify'
import { operation } from '../operation.ts'
import type { ApiParts } from '../parts.ts'
import { tagged, unchanged } from '../revision.ts'
import { named, Paged } from '../schemas/inputs.ts'
import { pageOf, ref } from '../schemas/model.ts'
import { PackageSchema } from '../schemas/nouns.ts'
import { Type } from '../schemas/type.ts'
import { packageView, pageView } from '../views.ts'

const PackageParams = named('digest', '`sha256:<hex>`.')

export function packageRoutes(server: FastifyInstance, { control }: ApiParts): void {
  operation(server, {
    method: 'GET',
    path: '/packages',
    id: 'listPackages',
    tag: 'packages',
    summary: 'List packages',
    query: Paged,
    answers: { 200: pageOf(PackageSchema) },
    handle: async ({ by, query }) => pageView(await control.listPackages(by, query), packageView),
  })

  operation(server, {
    method: 'GET',
    path: '/packages/{digest}',
    id: 'getPackage',
    tag: 'packages',
    summary: 'Show a package',
    params: PackageParams,
    answers: { 200: ref(PackageSchema, 'The package.') },
    handle: async call => {
      const info = await control.getPackage(call.by, call.params.digest)
      return tagged(call, info.digest, packageView(info))
    },
  })

  operation(server, {
    method: 'GET',
    path: '/packages/{digest}/content',
    id: 'readPackage',
    tag: 'packages',
    summary: 'Download a package',
    params: PackageParams,
    answersIn: 'application/octet-stream',
    answers: { 200: Type.String({ format: 'binary', description: 'The bytes, as an archive.' }) },
    errors: ['GONE'],
    handle: async call => {
      const info = await control.getPackage(call.by, call.params.digest)
      if (unchanged(call.request, call.reply, info.digest)) return undefined
      const content = await control.readPackage(call.by, call.params.digest)
      call.reply
        .type('application/octet-stream')
        .header('content-disposition', `attachment; filename*=UTF-8''${encodeURIComponent(info.fileName)}`)
      return content
    },
  })

  operation(server, {
    method: 'GET',
    path: '/packages/{digest}/build-log',
    id: 'readBuildLog',
    tag: 'packages',
    summary: 'Read what the build said',
    params: PackageParams,
    answersIn: 'text/plain',
    answers: { 200: Type.String({ description: 'Plain text.' }) },
    errors: ['GONE'],
    handle: async ({ by, params, reply }) => {
      const text = await control.readBuildLog(by, params.digest)
      reply.type('text/plain; charset=utf-8')
      return text
    },
  })
}
