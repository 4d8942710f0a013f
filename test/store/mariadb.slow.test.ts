import { mariadbMissing, startMariadb } from '../support/databases/mariadb.ts'
import { databaseSuite } from '../suites/database.ts'

databaseSuite('MariaDB', { start: startMariadb, missing: mariadbMissing })
