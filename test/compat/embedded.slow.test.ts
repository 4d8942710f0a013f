import { Place } from './place.ts'
import { compatSuite } from './suite.ts'

compatSuite('on SQLite, with the identity that the server brings', false, () => Place.embedded())
