// Access: what the agents of one registered type may read, write and see in spite of a flag. Rights belong to the type
// a workflow registers, never to the text of an id.
import type { Catalogue } from './catalogue.ts'
import type { EntryInfo } from './entry.ts'
import { matchesPattern } from './pattern.ts'
import type { Scope } from './scope.ts'

/** Exceptions from flags, by key pattern. */
export interface Grants {
  /** Sensitive entries it may see. */
  readonly sensitive?: readonly string[]
  /** Protected entries it may overwrite and delete. */
  readonly protected?: readonly string[]
}

/** What a type of agent is registered with. */
export interface AccessRules {
  readonly type: string
  readonly role: string | undefined
  readonly reads: readonly string[]
  readonly writes: readonly string[]
  readonly groups: readonly string[]
  readonly grants: Grants
  /** Scopes it sees beside its own entries; all of them unless given. */
  readonly scopes: readonly Scope[] | undefined
}

const MOST_REMEMBERED_KEYS = 20_000

/** Remembers per key whether one of some patterns names it. */
class KeySet {
  readonly #patterns: readonly string[]
  readonly #remembered = new Map<string, boolean>()

  constructor(patterns: readonly string[]) {
    this.#patterns = patterns
  }

  has(key: string): boolean {
    const known = this.#remembered.get(key)
    if (known !== undefined) return known
    const answer = this.#patterns.some((pattern) => matchesPattern(pattern, key))
    if (this.#remembered.size >= MOST_REMEMBERED_KEYS) this.#remembered.clear()
    this.#remembered.set(key, answer)
    return answer
  }
}

export class Access {
  readonly rules: AccessRules
  /** Its own groups; the group named after its type is always one of them. */
  readonly groups: readonly string[]
  readonly #reads: KeySet
  readonly #writes: KeySet
  readonly #sensitive: KeySet
  readonly #protected: KeySet
  readonly #catalogue: Catalogue | undefined

  /** @param catalogue by which what is stored may be sensitive although it was not when it was written */
  constructor(rules: AccessRules, catalogue?: Catalogue) {
    this.rules = rules
    this.#catalogue = catalogue?.hasSensitive === true ? catalogue : undefined
    this.groups = Object.freeze([...new Set([...rules.groups, rules.type])])
    this.#reads = new KeySet(rules.reads)
    this.#writes = new KeySet(rules.writes)
    this.#sensitive = new KeySet(rules.grants.sensitive ?? [])
    this.#protected = new KeySet(rules.grants.protected ?? [])
  }

  canRead(key: string): boolean {
    return this.#reads.has(key)
  }

  canWrite(key: string): boolean {
    return this.#writes.has(key)
  }

  canOverwriteProtected(key: string): boolean {
    return this.#protected.has(key)
  }

  /** Whether the agent `agentId` of this type is a reader of the scope, key and flags of an entry. */
  admits(entry: EntryInfo, agentId: string): boolean {
    if (!this.#reads.has(entry.key)) return false
    const own = entry.scope === 'private' && entry.holder === agentId
    if (entry.scope === 'private' && !own) return false
    if (entry.scope === 'group' && !this.groups.includes(entry.holder ?? '')) return false
    const { scopes } = this.rules
    if (!own && scopes !== undefined && !scopes.includes(entry.scope) && entry.owner !== agentId) return false
    const isSensitive = entry.sensitive || this.#catalogue?.find(entry.key)?.sensitive === true
    return !isSensitive || own || this.#sensitive.has(entry.key)
  }
}
