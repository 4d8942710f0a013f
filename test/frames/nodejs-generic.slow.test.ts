import { framesSuite } from '../suites/frames.ts'
import { nodejsShim } from './nodejs-shim.ts'

framesSuite('nodejs, generic', nodejsShim({ ATELIER_GENERIC: '1' }))
