import { databaseSuite } from '../suites/database.ts'
import { postgresMissing, startPostgres } from '../support/databases/postgres.ts'

databaseSuite('PostgreSQL', {
  start: startPostgres,
  missing: postgresMissing,
  cipher: 'select cipher from pg_stat_ssl where pid = pg_backend_pid()',
})
