import { nodeSuite } from '../suites/nodes.ts'
import { postgresMissing, startPostgres } from '../support/databases/postgres.ts'

nodeSuite('PostgreSQL', { start: startPostgres, missing: postgresMissing })
