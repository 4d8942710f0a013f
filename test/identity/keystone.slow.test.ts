import { keystoneIdentitySuite } from '../suites/keystone-identity.ts'
import { Keystone } from '../support/openstack/keystone.ts'
import { missing } from '../support/openstack/programs.ts'
import { Site } from '../support/site.ts'

keystoneIdentitySuite(
  "OpenStack's own Keystone",
  async () => {
    const site = await Site.open()
    const keystone = await Keystone.start(site)
    return { url: keystone.url, admin: keystone.admin, dispose: () => site.close() }
  },
  { skip: missing('keystone') },
)
