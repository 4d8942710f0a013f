import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { Cloud } from '../support/openstack/cloud.ts'
import { missing } from '../support/openstack/programs.ts'
import { ServerProcess, until } from '../support/server-process.ts'
import { outerAddress } from '../support/site.ts'
import { Collector, type TriggerSeen } from './collector.ts'

/*
 * Real Keystone, Swift, RabbitMQ, Ceilometer and Aodh beside a real server: what happens to objects arrives in functions, by
 * each of the ways there are.
 */

interface ObjectBody {
  readonly event: string
  readonly container: string
  readonly object: string
  readonly project?: string
  readonly sizeBytes?: number
  readonly change?: string
}

interface AlarmBody {
  readonly alarm_name: string
  readonly current: string
  readonly hasToken: boolean
  readonly reason_data: {
    readonly event: { readonly traits: readonly (readonly [string, number, unknown])[] }
  }
}

const skip = missing('keystone', 'swift', 'rabbitmq', 'aodh', 'ceilometer')
const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples')
const EXAMPLE = join(EXAMPLES, 'swift-thumbnail')
const PHOTO = join(EXAMPLES, 'thumbnail', 'photo.jpg')
/** A name that tells whether every part of the way agrees on what a name is. */
const ODD_NAME = 'in/é a+b&<c>%.jpg'

suite('objects in a real OpenStack', { skip }, () => {
  let server: ServerProcess
  let cloud: Cloud
  let upload: Collector<ObjectBody & { readonly 'x-auth-token'?: string }>
  let notified: Collector<ObjectBody>
  let polled: Collector<ObjectBody>
  let polledS3: Collector<ObjectBody>
  let alarmed: Collector<AlarmBody>
  let trusted: Collector<AlarmBody>

  before(
    async () => {
      server = await ServerProcess.start({ flags: ['--source-allow', '127.0.0.0/8'] })
      const address = outerAddress()
      cloud = await Cloud.start({
        alarms: true,
        functionUrlPrefix: `${server.routerUrl}/-/hooks/`,
        ...(address !== undefined && { address }),
      })
      const { alpha, keystone, swift, broker } = cloud
      await alpha.swift.createContainer('uploads') // the first notification: now there is an exchange
      await alpha.swift.put('uploads', 'before.jpg', 'there before any trigger')
      const { access, secret } = await keystone.createS3Key(alpha.user, alpha.project)
      const credential = await keystone.createApplicationCredential(alpha.user, alpha.project, 'poller')
      const object = { container: 'uploads', suffix: '.jpg' }
      upload = await Collector.create(server, 'on-upload', 'object', {
        source: 'swift-middleware',
        ...object,
      })
      notified = await Collector.create(server, 'on-notification', 'object', {
        ...object,
        source: 'notifications',
        notifications: {
          url: `amqp://${broker.host}:${broker.port}/`,
          username: 'guest',
          password: 'guest',
          projects: [alpha.project.id],
        },
      })
      polled = await Collector.create(server, 'on-listing', 'object', {
        ...object,
        source: 'poll',
        poll: {
          intervalMs: 1_000,
          events: ['new', 'changed', 'deleted'],
          swift: {
            authUrl: keystone.url,
            applicationCredentialId: credential.id,
            applicationCredentialSecret: credential.secret,
          },
        },
      })
      polledS3 = await Collector.create(server, 'on-s3-listing', 'object', {
        ...object,
        source: 'poll',
        poll: {
          intervalMs: 1_000,
          first: 'all',
          s3: { endpoint: swift.url, region: 'RegionOne', accessKey: access, secretKey: secret },
        },
      })
      alarmed = await Collector.create(server, 'on-alarm', 'alarm', { source: 'aodh' })
      trusted = await Collector.create(server, 'on-trust', 'alarm', { source: 'aodh', passToken: true })
      const trustUrl = (await trusted.url()).replace(/^http/, 'trust+http')
      await cloud.aodh!.createEventAlarm(alpha.swift.token, {
        name: 'uploaded',
        eventType: 'objectstore.http.request',
        query: { 'traits.action': 'put', 'traits.container': 'uploads' },
        actions: [await alarmed.url(), trustUrl],
      })
      await notified.is('is connected', each => each.status.details?.['connected'] === true)
      for (const each of [polled, polledS3])
        await each.is('has listed', ({ status }) => status.details?.['listedAt'] !== undefined)
    },
    { timeout: 280_000 },
  )

  after(async () => {
    await server?.dispose()
    await cloud?.close()
  })

  test('an upload reaches a function by the middleware, the bus, both listings and an alarm', async () => {
    const { alpha } = cloud
    await alpha.swift.put('uploads', ODD_NAME, 'hello', { 'x-function-url': await upload.url() })
    const isIt = ({ object }: ObjectBody): boolean => object === ODD_NAME

    const [uploaded, ...moreUploads] = await upload.got('the upload', isIt)
    assert.equal(uploaded!.event, 'written')
    assert.equal(uploaded!.project, alpha.project.id)
    assert.equal(uploaded!['x-auth-token'], undefined)
    assert.deepEqual(moreUploads, [])

    const [told, ...moreTold] = await notified.got('the upload', isIt)
    const { event, container, sizeBytes, project } = told!
    assert.deepEqual([event, container, sizeBytes, project], ['written', 'uploads', 5, alpha.project.id])
    assert.deepEqual(moreTold, [])

    const [listed, ...moreListed] = await polled.got('the upload', isIt)
    assert.deepEqual([listed!.event, listed!.change, listed!.sizeBytes], ['written', 'new', 5])
    assert.deepEqual(moreListed, [])

    const listedByS3 = await polledS3.got('the upload', isIt)
    assert.deepEqual(
      listedByS3.map(each => each.object),
      ['before.jpg', ODD_NAME],
    )

    for (const each of [alarmed, trusted]) {
      const [alarm] = await each.got('the alarm', ({ current }) => current === 'alarm')
      assert.equal(alarm!.alarm_name, 'uploaded')
      assert.equal(alarm!.hasToken, each === trusted) // of the trust that Aodh made
      const traits = new Map(alarm!.reason_data.event.traits.map(([name, , value]) => [name, value]))
      assert.equal(traits.get('project_id'), alpha.project.id)
      assert.equal(traits.get('container'), 'uploads')
    }
  })

  test('what Swift refuses, and what others do, reaches no function', async () => {
    const { alpha, beta, swift } = cloud
    const account = swift.accountUrl(alpha.project)
    const named = { 'x-function-url': await upload.url() }
    const put = (name: string, headers: Record<string, string>) =>
      fetch(`${account}/uploads/${name}`, { method: 'PUT', body: 'x', headers })
    const refused = await Promise.all([
      put('anonymous.jpg', named),
      put('stranger.jpg', { ...named, 'x-auth-token': beta.swift.token }),
      put('wrong.jpg', { ...named, 'x-auth-token': alpha.swift.token, etag: 'not-its-digest' }),
    ])
    assert.deepEqual(
      refused.map(each => each.status),
      [401, 403, 422],
    )
    await beta.swift.createContainer('uploads')
    await beta.swift.put('uploads', 'elsewhere.jpg', 'x')
    await alpha.swift.put('uploads', 'other.png', 'x', named)
    await alpha.swift.put('uploads', 'outside.jpg', 'x', { 'x-function-url': `${swift.url}/-/hooks/no` })
    await alpha.swift.put('uploads', 'last.jpg', 'x', named)
    const tells = async (collector: Collector<ObjectBody>, names: readonly string[]): Promise<void> => {
      // They may overtake each other.
      for (const name of names) await collector.got(name, ({ object }) => object === name)
      const events = await collector.got('the last one', ({ object }) => object === 'last.jpg')
      assert.deepEqual(events.map(each => each.object).toSorted(), names.toSorted())
    }
    await tells(upload, [ODD_NAME, 'last.jpg'])
    await tells(notified, [ODD_NAME, 'outside.jpg', 'last.jpg'])
    await tells(polled, [ODD_NAME, 'outside.jpg', 'last.jpg'])
    const { status } = await upload.trigger()
    assert.equal(status.filtered, 1)
  })

  test('deleted objects are told by the bus and by a listing that remembers them', async () => {
    await cloud.alpha.swift.delete('uploads', ODD_NAME)
    const isGone = ({ event, object }: ObjectBody): boolean => event === 'deleted' && object === ODD_NAME
    await notified.got('the deletion', isGone)
    await polled.got('the deletion', isGone)
  })

  test('a large object is one event: its segments, in their container, are none', async () => {
    const { swift } = cloud.alpha
    await swift.createContainer('uploads_segments')
    await swift.put('uploads_segments', 'big.jpg/1', 'a'.repeat(1_000))
    const manifest = JSON.stringify([{ path: '/uploads_segments/big.jpg/1' }])
    await swift.request('PUT', 'uploads/big.jpg?multipart-manifest=put', { body: manifest })
    const isBig = ({ object }: ObjectBody): boolean => object.includes('big.jpg')
    for (const each of [notified, polled, polledS3]) {
      const events = await each.got('the large object', isBig)
      assert.deepEqual(
        events.filter(isBig).map(({ container }) => container),
        ['uploads'],
      )
    }
  })

  test('a copy is one upload, whether told or listed', async () => {
    const { swift } = cloud.alpha
    await swift.request('COPY', 'uploads/last.jpg', { headers: { destination: 'uploads/copy.jpg' } })
    const isCopy = ({ object }: ObjectBody): boolean => object === 'copy.jpg'
    for (const each of [notified, polled, polledS3]) {
      const events = await each.got('the copy', isCopy)
      assert.deepEqual(
        events.filter(isCopy).map(({ event }) => event),
        ['written'],
      )
    }
  })

  test('a container that is not there and credentials that are refused are told in the state of the trigger', async () => {
    const { keystone, swift, alpha, beta } = cloud
    const { user: username, password, project } = alpha.credentials
    const user = { authUrl: keystone.url, username, password, project }
    const nobody = { endpoint: swift.url, region: 'RegionOne', accessKey: 'nobody', secretKey: 'no' }
    const cases: readonly (readonly [string, string, object, RegExp])[] = [
      ['unknown', 'nothing', { swift: user }, /no container "nothing" at Swift at /],
      ['refused', 'uploads', { swift: { ...user, password: 'no' } }, /refuses the credentials/],
      [
        'another',
        'uploads',
        { swift: { ...user, storageUrl: swift.accountUrl(beta.project) } },
        /does not let these credentials list container "uploads" \(403\)/,
      ],
      ['unsigned', 'uploads', { s3: nobody }, /\(403 \w+\)/],
    ]
    await Promise.all(
      cases.map(async ([name, container, poll, says]) => {
        const config = { source: 'poll', container, poll }
        const trigger = await Collector.create(server, name, 'object', config)
        const { status } = await trigger.is('fails', each => each.status.state === 'failing')
        assert.match(status.lastError ?? '', says)
      }),
    )
  })

  test('the example makes a thumbnail of a photograph that is uploaded, and none of the thumbnail', async t => {
    // A function's network ends before this machine's loopback, where Swift is without such an address.
    if (outerAddress() === undefined) return t.skip('this machine has no address beside loopback')
    const { alpha, keystone } = cloud
    await Promise.all(['photos', 'thumbnails'].map(name => alpha.swift.createContainer(name)))
    const { id, secret } = await keystone.createApplicationCredential(alpha.user, alpha.project, 'thumbnails')
    const secrets = { OS_APPLICATION_CREDENTIAL_ID: id, OS_APPLICATION_CREDENTIAL_SECRET: secret }
    for (const [name, value] of Object.entries(secrets)) {
      const stored = await server.api('PUT', `/v1/secrets/${name}`, { value })
      assert.ok(stored.status < 300, stored.text)
    }
    const named = Object.keys(secrets).flatMap(name => ['--secret', name])
    const deployed = await server.cli('deploy', EXAMPLE, '--config', `OS_AUTH_URL=${keystone.url}`, ...named)
    assert.equal(deployed.code, 0, deployed.stderr)
    const trigger = await server.api('POST', '/v1/triggers', {
      name: 'thumbnails',
      kind: 'object',
      app: 'default',
      function: 'swift-thumbnail',
      // On purpose without a container: the function's own uploads come back to it, and must end there.
      config: {
        source: 'notifications',
        notifications: {
          url: `amqp://${cloud.broker.host}:${cloud.broker.port}/`,
          projects: [alpha.project.id],
        },
      },
    })
    assert.equal(trigger.status, 201, trigger.text)
    const status = async () => (await server.api<TriggerSeen>('GET', '/v1/triggers/thumbnails')).json.status
    await until('it is connected', async () => (await status()).details?.['connected'] === true)

    const photo = new Uint8Array(await readFile(PHOTO))
    await alpha.swift.put('photos', '2015/rocket ü.jpg', photo, { 'content-type': 'image/jpeg' })
    let thumbnail: Uint8Array | undefined
    const appears = async (): Promise<boolean> => {
      thumbnail = await alpha.swift.bytes('thumbnails', 'photos/2015/rocket ü.jpg')
      return thumbnail !== undefined
    }
    await until('the thumbnail appears', appears, 60_000)
    assert.deepEqual([...thumbnail!.subarray(0, 3)], [0xff, 0xd8, 0xff]) // a JPEG
    assert.ok(thumbnail!.length < photo.length / 2)
    await until('the thumbnail itself was told', async () => (await status()).accepted === 2)

    await alpha.swift.delete('photos', '2015/rocket ü.jpg')
    await until('the thumbnail is gone', async () => !(await appears()), 60_000)
    const stored = await alpha.swift.request<readonly unknown[]>('GET', 'thumbnails?format=json')
    assert.deepEqual(stored.json, [])
  })

  test('when Swift is gone its listings fail, and go on when it is back', async () => {
    await cloud.swift.killProxy()
    const { status } = await polled.is('fails', each => each.status.state === 'failing')
    assert.match(status.lastError ?? '', /^http:\/\/\S+ (refuses|broke) the connection\.$/)
    await cloud.swift.restartProxy()
    await polled.is('is well', each => each.status.state === 'active')
    await cloud.alpha.swift.put('uploads', 'back.jpg', 'x')
    for (const each of [polled, polledS3, notified])
      await each.got('what came after', ({ object }) => object === 'back.jpg')
  })
})
