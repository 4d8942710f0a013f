import { existsSync } from 'node:fs'
import { commandLineMissing } from '../support/openstack/command-line.ts'

const MODULES = '/usr/lib/python3/dist-packages'

/** Why `openstack function …` cannot be run here. */
export function qinlingClientMissing(): string | false {
  if (commandLineMissing) return commandLineMissing
  if (!existsSync(`${MODULES}/qinlingclient`))
    return 'the Qinling client is not installed (apt install python3-qinlingclient)'
  return false
}
