import { nodeSuite } from '../suites/nodes.ts'
import { mariadbMissing, startMariadb } from '../support/databases/mariadb.ts'

nodeSuite('MariaDB', { start: startMariadb, missing: mariadbMissing })
