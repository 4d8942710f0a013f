import { backendSuite } from '../suites/backend.ts'
import { openLocal, unavailable } from './local-fixture.ts'

backendSuite('local', () => openLocal({}), { skip: unavailable() })
