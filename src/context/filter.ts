// Filters narrow views further, by the agent's type or role. They are the host's own code: they can only remove entries
// and must be pure (the same entry, the same answer); they see no values. A filter that throws hides the entry.
import type { EntryInfo } from './entry.ts'

/** Answers whether an entry stays in the view. */
export type ViewFilter = (entry: EntryInfo) => boolean

function byKeyWords(words: readonly string[], priorities: readonly string[]): ViewFilter {
  return ({ key, priority }) => {
    if (priorities.includes(priority)) return true
    const lower = key.toLowerCase()
    return words.some((word) => lower.includes(word))
  }
}

/** Ready-made filters for the three kinds of agent that earlier systems shipped with. */
export const READY_FILTERS = {
  webExtractor: byKeyWords(['extraction', 'validation', 'error', 'credential', 'website'], ['critical', 'high']),
  financialCalculator: byKeyWords(
    ['financial', 'revenue', 'calculation', 'exchange', 'currency', 'precision'],
    ['critical'],
  ),
  reportGenerator: byKeyWords(['processed', 'template', 'format', 'output', 'report', 'chart'], ['critical', 'high']),
} as const satisfies Readonly<Record<string, ViewFilter>>

/** The filters of a runtime: registered and withdrawn while runs go on. */
export class Filters {
  readonly #byType = new Map<string, Set<ViewFilter>>()
  readonly #byRole = new Map<string, Set<ViewFilter>>()
  readonly #onChange: () => void
  #epoch = 0

  constructor(onChange: () => void = () => {}) {
    this.#onChange = onChange
  }

  /** Counts the changes, so that computed views know when they are out of date. */
  get epoch(): number {
    return this.#epoch
  }

  /** Adds a filter for agents registered as `type`; gives the function that withdraws it. */
  forType(type: string, filter: ViewFilter): () => void {
    return this.#add(this.#byType, type, filter)
  }

  /** Adds a filter for agents of a role; gives the function that withdraws it. */
  forRole(role: string, filter: ViewFilter): () => void {
    return this.#add(this.#byRole, role, filter)
  }

  /** The type's filters, then the role's. */
  passes(entry: EntryInfo, type: string, role: string | undefined): boolean {
    if (this.#byType.size > 0 && !passesAll(this.#byType.get(type), entry)) return false
    return role === undefined || this.#byRole.size === 0 || passesAll(this.#byRole.get(role), entry)
  }

  #add(map: Map<string, Set<ViewFilter>>, name: string, filter: ViewFilter): () => void {
    const registered: ViewFilter = (entry) => filter(entry)
    const filters = map.get(name) ?? new Set()
    map.set(name, filters.add(registered))
    this.#changed()
    return () => {
      if (!filters.delete(registered)) return
      if (filters.size === 0) map.delete(name)
      this.#changed()
    }
  }

  #changed(): void {
    this.#epoch += 1
    this.#onChange()
  }
}

/** An entry without its value. Not a copy: a filter is asked for every entry of every view. */
class ValuelessEntry implements EntryInfo {
  readonly #entry: EntryInfo

  constructor(entry: EntryInfo) {
    this.#entry = entry
    Object.freeze(this)
  }

  get key(): string {
    return this.#entry.key
  }
  get scope(): EntryInfo['scope'] {
    return this.#entry.scope
  }
  get holder(): string | undefined {
    return this.#entry.holder
  }
  get owner(): string {
    return this.#entry.owner
  }
  get updatedBy(): string {
    return this.#entry.updatedBy
  }
  get priority(): EntryInfo['priority'] {
    return this.#entry.priority
  }
  get version(): number {
    return this.#entry.version
  }
  get createdAt(): number {
    return this.#entry.createdAt
  }
  get updatedAt(): number {
    return this.#entry.updatedAt
  }
  get expiresAt(): number | undefined {
    return this.#entry.expiresAt
  }
  get dependsOn(): readonly string[] {
    return this.#entry.dependsOn
  }
  get metadata(): EntryInfo['metadata'] {
    return this.#entry.metadata
  }
  get protected(): boolean {
    return this.#entry.protected
  }
  get ephemeral(): boolean {
    return this.#entry.ephemeral
  }
  get sensitive(): boolean {
    return this.#entry.sensitive
  }
  get pinned(): boolean {
    return this.#entry.pinned
  }
  get stale(): boolean {
    return this.#entry.stale
  }
}

function passesAll(filters: ReadonlySet<ViewFilter> | undefined, entry: EntryInfo): boolean {
  if (filters === undefined) return true
  const info = new ValuelessEntry(entry)
  for (const filter of filters) {
    try {
      if (!filter(info)) return false
    } catch {
      return false
    }
  }
  return true
}
