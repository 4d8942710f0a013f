import { keystoneSuite } from '../suites/keystone.ts'
import { IdentityApiFixture } from './fixture.ts'

keystoneSuite('the embedded identity', () => IdentityApiFixture.open())
