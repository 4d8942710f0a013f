import { databaseSuite } from '../suites/database.ts'
import { mariadbMissing, startMariadb } from '../support/databases/mariadb.ts'

databaseSuite('MariaDB', {
  start: startMariadb,
  missing: mariadbMissing,
  cipher: `select variable_value as cipher from information_schema.session_status where variable_name = 'SSL_CIPHER'`,
})
