import { postgresMissing, startPostgres } from '../support/databases/postgres.ts'
import { databaseSuite } from '../suites/database.ts'

databaseSuite('PostgreSQL', { start: startPostgres, missing: postgresMissing })
