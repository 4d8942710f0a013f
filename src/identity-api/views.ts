import type { Role } from '../core/index.ts'
import type {
  ApplicationCredential,
  Person,
  Place,
  Session,
  StoredAccessRule,
  Trust,
} from '../identity/index.ts'
import { impliedRoles } from '../identity/index.ts'

/** The one domain. */
export const DOMAIN = { id: 'default', name: 'Default' } as const

/** What a token stands for, as `/v3/auth/tokens` tells it; without the catalogue. */
export function tokenView(session: Session): Record<string, unknown> {
  const { trust, credential, project } = session
  const roles = impliedRoles(session.roles)
  return {
    methods: session.methods,
    user: { domain: DOMAIN, ...session.user, password_expires_at: null },
    audit_ids: session.chainId === session.id ? [session.id] : [session.id, session.chainId],
    expires_at: timeView(session.expiresAt),
    issued_at: timeView(session.issuedAt),
    ...(project && {
      project: { domain: DOMAIN, ...project },
      ...(!trust && { is_domain: false }),
      roles: roles.map(role => (trust ? bareRoleView(role) : { id: role, name: role })),
    }),
    ...(trust && {
      'OS-TRUST:trust': {
        id: trust.id,
        trustor_user: { id: trust.trustorId },
        trustee_user: { id: trust.trusteeId },
        impersonation: trust.impersonation,
      },
    }),
    ...(credential && {
      application_credential: {
        id: credential.id,
        name: credential.name,
        restricted: credential.unrestricted !== true,
        ...(credential.accessRules && { access_rules: credential.accessRules }),
      },
    }),
  }
}

export function userView(root: string, person: Person): object {
  const { id, name, enabled, description, email, defaultProjectId } = person
  return {
    id,
    name,
    domain_id: DOMAIN.id,
    enabled,
    ...(description !== undefined && { description }),
    ...(email !== undefined && { email }),
    ...(defaultProjectId !== undefined && { default_project_id: defaultProjectId }),
    password_expires_at: null,
    options: {},
    links: { self: `${root}/v3/users/${id}` },
  }
}

export function projectView(root: string, { id, name, description, enabled }: Place): object {
  return {
    id,
    name,
    domain_id: DOMAIN.id,
    description,
    enabled,
    parent_id: DOMAIN.id,
    is_domain: false,
    tags: [],
    options: {},
    links: { self: `${root}/v3/projects/${id}` },
  }
}

export function roleView(root: string, role: Role): object {
  return { ...bareRoleView(role), links: { self: `${root}/v3/roles/${role}` } }
}

export function domainView(root: string): object {
  return {
    ...DOMAIN,
    description: 'All users and projects of this server',
    enabled: true,
    tags: [],
    options: {},
    links: { self: `${root}/v3/domains/${DOMAIN.id}` },
  }
}

export function credentialView(root: string, credential: ApplicationCredential): object {
  const { id, name, description, userId, projectId, roles, unrestricted, accessRules, expiresAt } = credential
  return {
    id,
    name,
    description: description ?? null,
    user_id: userId,
    project_id: projectId,
    system: null,
    // Here alone Keystone leaves the zone out.
    expires_at: expiresAt === undefined ? null : timeView(expiresAt).slice(0, -1),
    unrestricted: unrestricted ?? null,
    roles: roles.map(bareRoleView),
    ...(accessRules && { access_rules: accessRules }),
    links: { self: `${root}/v3/application_credentials/${id}` },
  }
}

export function accessRuleView(root: string, rule: StoredAccessRule): object {
  return { ...rule, links: { self: `${root}/v3/access_rules/${rule.id}` } }
}

/** `withRoles`: lists leave the roles out. */
export function trustView(root: string, trust: Trust, withRoles: boolean): object {
  return {
    ...(withRoles && {
      roles: trust.roles.map(role => roleView(root, role)),
      roles_links: { self: `${root}/v3/OS-TRUST/trusts/${trust.id}/roles`, next: null, previous: null },
    }),
    id: trust.id,
    trustor_user_id: trust.trustorId,
    trustee_user_id: trust.trusteeId,
    project_id: trust.projectId,
    impersonation: trust.impersonation,
    expires_at: trust.expiresAt === undefined ? null : timeView(trust.expiresAt),
    remaining_uses: trust.remainingUses ?? null,
    deleted_at: null,
    redelegated_trust_id: null,
    redelegation_count: 0,
    links: { self: `${root}/v3/OS-TRUST/trusts/${trust.id}` },
  }
}

/** `{"users": […], "links": …}`; `self` is the address that was asked. */
export function collection(name: string, items: readonly object[], self: string): object {
  return { [name]: items, links: { next: null, self, previous: null } }
}

/** Keystone's times have six digits behind the point. */
function timeView(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z')
}

function bareRoleView(role: Role): object {
  return { id: role, name: role, domain_id: null, description: null, options: { immutable: true } }
}
