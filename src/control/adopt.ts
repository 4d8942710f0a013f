import type { Transaction } from 'kysely'
import { isName } from '../core/index.ts'
import type { Tables } from '../store/index.ts'
import type { Context } from './context.ts'
import { hasRoutesBelow, newProject } from './projects.ts'
import { asProject } from './rows.ts'

const NAME_CHARACTERS_MAX = 63
const ID_CHARACTERS_SHOWN = 8

/** A project that an identity service outside of here keeps: ids are its own, and a name is unique in its domain alone. */
export interface ForeignProject {
  readonly id: string
  readonly name: string
  readonly domain: { readonly id: string; readonly name: string }
}

/** What of a project is known without asking the store. */
export interface KnownProject {
  readonly id: string
  readonly name: string
  readonly enabled: boolean
}

/** Projects by the id or the name that they have here, and new ones as they are first seen. */
export interface Adoption {
  findProject(reference: { readonly id: string } | { readonly name: string }): KnownProject | undefined
  /** Makes the project when it is not there yet. Once it has a name here it keeps it: functions answer below it. */
  adoptProject(project: ForeignProject): Promise<KnownProject>
}

export function adoption(context: Context): Adoption {
  const { table } = context.options
  return {
    findProject(reference) {
      if ('id' in reference) return table.projects.get(reference.id)
      return [...table.projects.values()].find(each => each.name === reference.name)
    },
    async adoptProject(project) {
      const known = table.projects.get(project.id)
      if (known) return known
      return context.commit(async (tx, touched) => {
        const found = await tx
          .selectFrom('projects')
          .selectAll()
          .where('id', '=', project.id)
          .executeTakeFirst()
        touched.projects.add(project.id)
        if (found) return asProject(found)
        const { id } = project
        const row = newProject(
          { id, name: await freeName(tx, project), description: describe(project) },
          context.clock.now(),
        )
        await tx.insertInto('projects').values(row).execute()
        return asProject(row)
      })
    },
  }
}

/** The names that a project may get here, the best first: the last is its id, which nobody else has. */
export function namesFor({ id, name, domain }: ForeignProject): readonly string[] {
  const base = nameOf(name)
  const inDomain = domain.id === 'default' ? base : nameOf(`${base}.${domain.name}`)
  const marked = nameOf(
    `${inDomain.slice(0, NAME_CHARACTERS_MAX - ID_CHARACTERS_SHOWN - 1)}-${id.slice(0, ID_CHARACTERS_SHOWN)}`,
  )
  return [inDomain, marked, id.slice(0, NAME_CHARACTERS_MAX)].filter(isName)
}

/** Without what no URL may have. */
function nameOf(text: string): string {
  return text
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, NAME_CHARACTERS_MAX)
}

async function freeName(tx: Transaction<Tables>, project: ForeignProject): Promise<string> {
  for (const name of namesFor(project)) {
    const taken = await tx.selectFrom('projects').select('id').where('name', '=', name).executeTakeFirst()
    if (!taken && !(await hasRoutesBelow(tx, name))) return name
  }
  return `p${project.id}`.replaceAll('_', '-').slice(0, NAME_CHARACTERS_MAX)
}

function describe({ name, domain }: ForeignProject): string {
  return `Project ${name} of domain ${domain.name}`.slice(0, 500)
}
