import { createNodeFront } from '../../src/router/index.ts'
import { frontSuite } from '../suites/front.ts'

frontSuite('node:http', createNodeFront)
