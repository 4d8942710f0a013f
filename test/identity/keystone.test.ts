import { IdentityApiFixture } from '../identity-api/fixture.ts'
import { keystoneIdentitySuite } from '../suites/keystone-identity.ts'

keystoneIdentitySuite('the embedded identity', () => IdentityApiFixture.open())
