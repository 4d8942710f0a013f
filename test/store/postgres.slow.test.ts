import { databaseSuite } from '../suites/database.ts'
import { postgresMissing, startPostgres } from '../support/databases/postgres.ts'

databaseSuite('PostgreSQL', { start: startPostgres, missing: postgresMissing })
