// What the tests of the memory share: a memory with a virtual clock and ids that count, and short words for items.
import { createMemory, createVolatileMemory } from 'callboard/memory'
import type {
  AgentMemory,
  CommitResult,
  Memory,
  MemoryChange,
  MemoryOptions,
  MemoryStore,
  NewItem,
} from 'callboard/memory'
import { createTestClock } from 'callboard/testing'
import type { TestClock } from 'callboard/testing'
import type { Ids } from 'callboard'

export interface World {
  readonly memory: Memory
  readonly store: MemoryStore
  readonly clock: TestClock
}

/** Ids that count: `mem_0001`. */
export function countingIds(): Ids {
  let count = 0
  return { next: (kind) => `${kind}_${String(++count).padStart(4, '0')}` }
}

export async function openWorld(options: MemoryOptions & { readonly clock?: TestClock } = {}): Promise<World> {
  const { store = createVolatileMemory(), clock = createTestClock() } = options
  const memory = await createMemory({ ids: countingIds(), ...options, store, clock })
  return { memory, store, clock }
}

/** A fact for everybody. */
export function fact(text: string, item: Partial<NewItem> = {}): MemoryChange {
  return { op: 'add', kind: 'semantic', scope: 'global', text, ...item }
}

/** A fact for everybody in the place of others. */
export function superseding(supersedes: readonly string[], text: string, item: Partial<NewItem> = {}): MemoryChange {
  return { op: 'supersede', supersedes, kind: 'semantic', scope: 'global', text, ...item }
}

/** Commits and gives the ids; a refusal fails the test. */
export async function remember(memory: AgentMemory, ...changes: readonly MemoryChange[]): Promise<readonly string[]> {
  return idsOf(await memory.remember(changes))
}

export function idsOf(result: CommitResult): readonly string[] {
  if (result.kind === 'committed') return result.ids
  throw new Error(`refused: ${result.conflicts.map(({ message }) => message).join('; ')}`)
}

/** The texts that a question finds. */
export async function textsOf(memory: AgentMemory, query: string): Promise<readonly string[]> {
  return (await memory.recall(query)).map(({ item }) => item.text)
}
