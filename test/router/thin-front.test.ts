import { createThinFront } from '../../src/router/thin/front.ts'
import { frontSuite } from '../suites/front.ts'

frontSuite('thin', createThinFront)
