import { mariadbMissing } from '../support/databases/mariadb.ts'
import { missing } from '../support/openstack/programs.ts'
import { Place } from './place.ts'
import { compatSuite } from './suite.ts'

const skip = missing('keystone') || (mariadbMissing ?? false)

compatSuite('on MariaDB, with a real Keystone', skip, () => Place.cloud())
