import { databaseSuite } from '../suites/database.ts'
import { mariadbMissing, startMariadb } from '../support/databases/mariadb.ts'

databaseSuite('MariaDB', { start: startMariadb, missing: mariadbMissing })
