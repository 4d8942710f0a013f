import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { HookRequest } from '../../src/triggers/index.ts'
import { checkWebhook, type WebhookConfig, webhookConfig } from '../../src/triggers/webhook/config.ts'
import { whyNotGenuine } from '../../src/triggers/webhook/signature.ts'
import { hookRequest } from '../support/trigger-host.ts'

const NOW = 1_700_000_000_000
const NOW_S = NOW / 1000
const SECRETS = ['the new secret of all', 'the old secret of all']
const BODY = Buffer.from('{"a":"ü €","b":\r\n1}\xff', 'latin1')

/** How each sender signs, written down once more from its own documentation. */
interface Sender {
  readonly config: Readonly<Record<string, unknown>>
  /** Headers of a genuine request. */
  sign(secret: string, body: Uint8Array, atS: number): string[]
  /** The header that holds the signature. */
  readonly header: string
  readonly isTimed: boolean
}

const key = (text: string): string => `whsec_${Buffer.from(text).toString('base64')}`
const hex = (algorithm: string, secret: string, ...pieces: (string | Uint8Array)[]): string => {
  const hmac = createHmac(algorithm, secret)
  for (const piece of pieces) hmac.update(piece)
  return hmac.digest('hex')
}

const SENDERS: Readonly<Record<string, Sender>> = {
  github: {
    config: { signature: 'github', secrets: SECRETS },
    header: 'x-hub-signature-256',
    isTimed: false,
    sign: (secret, body) => ['x-hub-signature-256', `sha256=${hex('sha256', secret, body)}`],
  },
  'gitlab, by token': {
    config: { signature: 'gitlab', secrets: SECRETS },
    header: 'x-gitlab-token',
    isTimed: false,
    sign: secret => ['x-gitlab-token', secret],
  },
  'gitlab, signed': {
    config: { signature: 'gitlab', secrets: SECRETS.map(key) },
    header: 'webhook-signature',
    isTimed: true,
    sign: standard,
  },
  stripe: {
    config: { signature: 'stripe', secrets: SECRETS },
    header: 'stripe-signature',
    isTimed: true,
    sign: (secret, body, atS) => [
      'stripe-signature',
      `t=${atS},v0=00,v1=${'0'.repeat(64)},v1=${hex('sha256', secret, `${atS}.`, body)}`,
    ],
  },
  slack: {
    config: { signature: 'slack', secrets: SECRETS },
    header: 'x-slack-signature',
    isTimed: true,
    sign: (secret, body, atS) => [
      'x-slack-request-timestamp',
      String(atS),
      'x-slack-signature',
      `v0=${hex('sha256', secret, `v0:${atS}:`, body)}`,
    ],
  },
  standard: {
    config: { signature: 'standard', secrets: SECRETS.map(key) },
    header: 'webhook-signature',
    isTimed: true,
    sign: standard,
  },
  'hmac, plain': {
    config: {
      signature: 'hmac',
      secrets: SECRETS,
      hmac: { header: 'X-Sig', algorithm: 'sha512', prefix: 'v=' },
    },
    header: 'x-sig',
    isTimed: false,
    sign: (secret, body) => ['x-sig', `v=${hex('sha512', secret, body)}`],
  },
  'hmac, timed': {
    config: {
      signature: 'hmac',
      secrets: SECRETS,
      hmac: {
        header: 'X-Sig',
        algorithm: 'sha1',
        encoding: 'base64',
        timestampHeader: 'X-Time',
        text: 'a{timestamp}|{body}|{timestamp}z',
      },
    },
    header: 'x-sig',
    isTimed: true,
    sign: (secret, body, atS) => [
      'x-time',
      String(atS),
      'x-sig',
      createHmac('sha1', secret).update(`a${atS}|`).update(body).update(`|${atS}z`).digest('base64'),
    ],
  },
  basic: {
    config: { signature: 'basic', secrets: SECRETS.map(each => `user:${each}`) },
    header: 'authorization',
    isTimed: false,
    sign: secret => ['authorization', `Basic ${Buffer.from(`user:${secret}`).toString('base64')}`],
  },
}

for (const [name, sender] of Object.entries(SENDERS))
  describe(`signatures: ${name}`, () => {
    const config = configOf(sender.config)
    const why = (request: HookRequest, now = NOW): string | undefined => whyNotGenuine(config, request, now)
    const genuine = sender.sign(SECRETS[0]!, BODY, NOW_S)

    test('a genuine request passes, with the new secret and with the old', () => {
      for (const secret of SECRETS)
        assert.equal(why(hookRequest(BODY, sender.sign(secret, BODY, NOW_S))), undefined)
    })

    test('another secret, no secret and an empty one are refused', () => {
      for (const secret of ['another secret', ''])
        assert.ok(why(hookRequest(BODY, sender.sign(secret, BODY, NOW_S))))
      assert.ok(why(hookRequest(BODY)))
    })

    test('a signature that is doubled, cut, lengthened or empty is refused', () => {
      const at = genuine.indexOf(sender.header) + 1
      const value = genuine[at]!
      for (const forged of [
        '',
        value.slice(0, -2),
        `${value}00`,
        value.slice(0, 8),
        `${value} `.repeat(2).trim(),
      ]) {
        const isBasicWithSpace = sender.header === 'authorization' && forged.trim() === value
        if (!isBasicWithSpace && !isAlternative(sender, forged))
          assert.ok(why(hookRequest(BODY, genuine.with(at, forged))), JSON.stringify(forged))
      }
      assert.ok(why(hookRequest(BODY, [...genuine, sender.header, value])))
    })

    const isSecretItself = sender.header === 'x-gitlab-token' || sender.header === 'authorization'
    const withBody = isSecretItself ? () => {} : test
    void withBody('a body that differs in one bit or more is refused', () => {
      assert.ok(why(hookRequest(Buffer.concat([BODY, Buffer.from(' ')]), genuine)))
      fc.assert(
        fc.property(fc.nat(BODY.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
          const other = Buffer.from(BODY)
          other[at]! ^= change
          assert.ok(why(hookRequest(other, genuine)))
        }),
      )
    })

    const withTime = sender.isTimed ? test : () => {}
    void withTime('a request out of its time is a replay', () => {
      const { toleranceS } = config
      for (const awayS of [-toleranceS, 0, toleranceS])
        assert.equal(why(hookRequest(BODY, genuine), NOW + awayS * 1000), undefined)
      for (const awayS of [-toleranceS - 1, toleranceS + 1, 1e6])
        assert.match(why(hookRequest(BODY, genuine), NOW + awayS * 1000) ?? '', /away from now/)
      const later = sender.sign(SECRETS[0]!, BODY, NOW_S + 1).join('\n')
      const mixed = later.replaceAll(String(NOW_S + 1), String(NOW_S)).split('\n')
      assert.ok(why(hookRequest(BODY, mixed)), 'the time is signed too')
    })

    test('nothing made up passes', () => {
      const names = genuine.filter((_, i) => i % 2 === 0)
      fc.assert(
        fc.property(fc.array(fc.string({ maxLength: 100 }), { minLength: 3, maxLength: 3 }), values => {
          const headers = names.flatMap((each, i) => [each, values[i]!])
          assert.ok(why(hookRequest(BODY, headers)))
        }),
      )
    })
  })

test('signatures: the examples that senders publish are genuine', () => {
  const github = configOf({ signature: 'github', secrets: ["It's a Secret to Everybody"] })
  const signed = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17'
  const request = hookRequest('Hello, World!', ['x-hub-signature-256', signed])
  assert.equal(whyNotGenuine(github, request, NOW), undefined)

  const standard = configOf({ signature: 'standard', secrets: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'] })
  const headers = [
    'webhook-id',
    'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp',
    '1614265330',
    'webhook-signature',
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  ]
  assert.equal(
    whyNotGenuine(standard, hookRequest('{"test": 2432232314}', headers), 1_614_265_330_000),
    undefined,
  )

  const slack = configOf({ signature: 'slack', secrets: ['8f742231b10e8888abcd99yyyzzz85a5'] })
  const body =
    'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c'
  const slackHeaders = [
    'x-slack-request-timestamp',
    '1531420618',
    'x-slack-signature',
    'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
  ]
  assert.equal(whyNotGenuine(slack, hookRequest(body, slackHeaders), 1_531_420_618_000), undefined)
})

test('signatures: a GitLab secret token does not stand for a signing token, nor the other way', () => {
  const token = configOf({ signature: 'gitlab', secrets: ['plain secret'] })
  assert.ok(whyNotGenuine(token, hookRequest(BODY, standard('plain secret', BODY, NOW_S)), NOW))
  const signing = configOf({ signature: 'gitlab', secrets: [key('signing secret')] })
  assert.ok(whyNotGenuine(signing, hookRequest(BODY, ['x-gitlab-token', key('signing secret')]), NOW))
})

test('signatures: a configuration that cannot be meant is refused, and each field is named', () => {
  const bad: [config: Readonly<Record<string, unknown>>, pointer: string][] = [
    [{ signature: 'github' }, 'secrets'],
    [{ signature: 'none', secrets: SECRETS }, 'secrets'],
    [{ signature: 'basic', secrets: ['no-colon-here'] }, 'secrets'],
    [{ signature: 'standard', secrets: ['not base64!'] }, 'secrets'],
    [{ signature: 'hmac', secrets: SECRETS }, 'hmac'],
    [{ signature: 'github', secrets: SECRETS, hmac: { header: 'x' } }, 'hmac'],
    [{ signature: 'hmac', secrets: SECRETS, hmac: { header: 'x', text: 'nothing' } }, 'hmac.text'],
    [{ signature: 'hmac', secrets: SECRETS, hmac: { header: 'x', text: '{timestamp}{body}' } }, 'hmac.text'],
    [
      { signature: 'hmac', secrets: SECRETS, hmac: { header: 'x', timestampHeader: 'y', text: '{body}' } },
      'hmac.text',
    ],
    [{ signature: 'none', filter: { attributes: { exact: {} } } }, 'filter.attributes.exact'],
  ]
  for (const [config, pointer] of bad) {
    const checked = checkWebhook(config)
    assert.ok(
      'errors' in checked && checked.errors.some(each => each.pointer === pointer),
      JSON.stringify(checked),
    )
  }
})

function configOf(given: Readonly<Record<string, unknown>>): WebhookConfig {
  const checked = checkWebhook(given)
  assert.ok('config' in checked, JSON.stringify(checked))
  // What was completed can be checked again: a change is merged into it.
  assert.deepEqual(checkWebhook(checked.config), checked)
  return webhookConfig(checked.config)
}

function standard(secret: string, body: Uint8Array, atS: number): string[] {
  const signature = createHmac('sha256', secret).update(`msg_1.${atS}.`).update(body).digest('base64')
  return [
    'webhook-id',
    'msg_1',
    'webhook-timestamp',
    String(atS),
    'webhook-signature',
    `v1a,AAAA v1,${Buffer.alloc(32).toString('base64')} v1,${signature}`,
  ]
}

/** Some senders put several signatures into one header: a genuine one more changes nothing. */
function isAlternative(sender: Sender, forged: string): boolean {
  return (
    (sender.header === 'webhook-signature' && forged.includes(' v1a,')) ||
    (sender.header === 'stripe-signature' && forged.includes(' t='))
  )
}
