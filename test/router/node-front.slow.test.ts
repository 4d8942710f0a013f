import { createNodeFront } from '../../src/router/node/front.ts'
import { frontSuite } from '../suites/front.ts'

frontSuite('node:http', createNodeFront)
