// Reader: on behalf of whom a run remembers. It is said once, by the first proposal that names a user or a project, and
// stays: another one's memories are never a run's. Until then, what a run says of `the user` is its own.
import { CallboardError } from '../../base/index.ts'
import type { AgentMemory } from '../../memory/index.ts'
import type { House } from '../house.ts'
import type { ServerServices } from '../services.ts'

export interface ReaderNames {
  readonly user?: string
  readonly project?: string
}

interface Whose {
  readonly runId: string
  readonly tenant: string
  readonly services: Pick<ServerServices, 'book'>
}

/** The memory as a run sees it. */
export function readerOfRun(house: House, whose: Whose): AgentMemory {
  if (house.memory === undefined) {
    throw new CallboardError('server.not-found', 'this tenant has no memory here', {})
  }
  return house.memory.for({ runId: whose.runId, ...namesOf(whose) })
}

export function namesOf({ runId, tenant, services }: Whose): { readonly user: string; readonly project: string } {
  const { user = `run ${runId}`, project = `run ${runId}` } = services.book.readerOf(tenant, runId)
  return { user, project }
}

/** Whom a proposal names: its scope filters, else its requests, where they all mean the same. */
export function namedIn(filters: unknown, requests: readonly unknown[]): ReaderNames {
  const user = nameIn([filters], 'user_id') ?? nameIn(requests, 'user_id')
  const project = nameIn([filters], 'project_id') ?? nameIn(requests, 'project_id')
  return { ...(user === undefined ? {} : { user }), ...(project === undefined ? {} : { project }) }
}

function nameIn(objects: readonly unknown[], field: string): string | undefined {
  for (const object of objects) {
    if (typeof object !== 'object' || object === null || !Object.hasOwn(object, field)) continue
    const name = (object as Readonly<Record<string, unknown>>)[field]
    if (typeof name === 'string' && name !== '') return name
  }
  return undefined
}

/** Notes whom a run's memory belongs to; what is noted stays. */
export function bindReader({ runId, tenant, services }: Whose, names: ReaderNames): void {
  if (names.user !== undefined || names.project !== undefined) services.book.bindReader(tenant, runId, names)
}
