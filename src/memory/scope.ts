// Scopes of memory: who sees an item, and who is asking. A reader names the scopes it is in once, when it is made;
// from then on a scope is said by its kind alone, so that nobody can ask for somebody else's.
import { CallboardError } from '../base/index.ts'

/** Who sees an item, from the widest to the narrowest. */
export const MEMORY_SCOPES = ['global', 'project', 'user', 'agent'] as const

export type MemoryScopeKind = (typeof MEMORY_SCOPES)[number]

/** One scope: everybody's, or that of one project, user or type of agent. */
export interface MemoryScope {
  readonly kind: MemoryScopeKind
  /** Whose it is; undefined for `global`. */
  readonly holder: string | undefined
}

/** Who reads and proposes. It is in `global`, and in the scope of every name it gives. */
export interface MemoryReader {
  /** The run on whose behalf it acts; its batches belong to this run. */
  readonly runId: string
  /** The type of the agent: the name it is registered under, not the id of an invocation. */
  readonly agent?: string | undefined
  readonly user?: string | undefined
  readonly project?: string | undefined
  /** The scopes it may write in; every one it is in unless given. */
  readonly writes?: readonly MemoryScopeKind[] | undefined
}

const LONGEST_NAME = 1_000

export const GLOBAL_SCOPE: MemoryScope = Object.freeze({ kind: 'global', holder: undefined })

/** One text per scope. Lengths keep names with any characters apart. */
export function scopeNameOf({ kind, holder = '' }: MemoryScope): string {
  return `${kind}:${holder.length}:${holder}:`
}

/** One text per item: an id means one thing in each scope. */
export function itemKey(scope: MemoryScope, id: string): string {
  return `${scopeNameOf(scope)}${id}`
}

/** `user ada`: how messages name a scope. */
export function describeScope({ kind, holder }: MemoryScope): string {
  return holder === undefined ? kind : `${kind} "${holder}"`
}

/** The rights of a reader, decided once. */
export class ReaderAccess {
  readonly runId: string
  readonly agent: string | undefined
  /** The scopes it is in, narrowest first: where an id stands in several, the narrowest one is meant. */
  readonly scopes: readonly MemoryScope[]
  readonly #writes: ReadonlySet<MemoryScopeKind>

  /** @throws CallboardError `memory.invalid-reader` */
  constructor(reader: MemoryReader) {
    this.runId = nameOf(reader, 'runId') ?? ''
    if (this.runId === '') throw invalidReader('runId')
    this.agent = nameOf(reader, 'agent')
    const holders = { agent: this.agent, user: nameOf(reader, 'user'), project: nameOf(reader, 'project') }
    const held = (['agent', 'user', 'project'] as const).flatMap((kind) => {
      const holder = holders[kind]
      return holder === undefined ? [] : [Object.freeze({ kind, holder })]
    })
    this.scopes = Object.freeze([...held, GLOBAL_SCOPE])
    const writes = reader.writes ?? MEMORY_SCOPES
    if (!writes.every((kind) => MEMORY_SCOPES.includes(kind))) throw invalidReader('writes')
    this.#writes = new Set(writes)
  }

  /** The scope of a kind that it is in. */
  scope(kind: MemoryScopeKind): MemoryScope | undefined {
    return this.scopes.find((scope) => scope.kind === kind)
  }

  isIn({ kind, holder }: MemoryScope): boolean {
    return this.scope(kind)?.holder === holder && this.scope(kind) !== undefined
  }

  mayWrite(scope: MemoryScope): boolean {
    return this.isIn(scope) && this.#writes.has(scope.kind)
  }

  /** Its scopes among some kinds. */
  among(kinds: readonly MemoryScopeKind[] | undefined): readonly MemoryScope[] {
    return kinds === undefined ? this.scopes : this.scopes.filter(({ kind }) => kinds.includes(kind))
  }
}

function nameOf(reader: MemoryReader, field: 'runId' | 'agent' | 'user' | 'project'): string | undefined {
  const name: unknown = reader[field]
  if (name === undefined) return undefined
  if (typeof name !== 'string' || name === '' || name.length > LONGEST_NAME || !name.isWellFormed()) {
    throw invalidReader(field)
  }
  return name
}

function invalidReader(field: string): CallboardError {
  return new CallboardError(
    'memory.invalid-reader',
    field === 'writes'
      ? `a reader's writes are among ${MEMORY_SCOPES.join(', ')}`
      : `a reader of memory needs a ${field} of 1 to ${LONGEST_NAME} characters`,
    { field },
  )
}
