import type { Role } from '../../core/index.ts'
import type { KeystoneSettings } from './settings.ts'
import type { KeystoneProject, KeystoneToken } from './token.ts'

/**
 * Our roles for those that Keystone lists, which lists implied ones too. The role of an operator may be bound to some projects: elsewhere
 * it is a member's.
 */
export function rolesOf(
  { roles, project, isSystem }: KeystoneToken,
  settings: Pick<KeystoneSettings, 'roles' | 'adminProjects'>,
): readonly Role[] {
  const held = new Set(roles.map(each => each.toLowerCase()))
  const has = (names: readonly string[]): boolean => names.some(each => held.has(each.toLowerCase()))
  const mapped = new Set<Role>()
  if (has(settings.roles.admin)) mapped.add(operatesFrom(project, isSystem, settings) ? 'admin' : 'member')
  if (has(settings.roles.member)) mapped.add('member')
  if (has(settings.roles.reader)) mapped.add('reader')
  if (held.has('service')) mapped.add('service')
  return [...mapped]
}

/** Whether the projects of this domain are let in. */
export function letsIn({ domain }: KeystoneProject, { domains }: Pick<KeystoneSettings, 'domains'>): boolean {
  return domains.length === 0 || domains.includes(domain.id) || domains.includes(domain.name)
}

function operatesFrom(
  project: KeystoneProject | undefined,
  isSystem: boolean,
  { adminProjects }: Pick<KeystoneSettings, 'adminProjects'>,
): boolean {
  if (isSystem || adminProjects.length === 0) return true
  return project !== undefined && (adminProjects.includes(project.id) || adminProjects.includes(project.name))
}
