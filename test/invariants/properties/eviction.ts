// Eviction takes the least important entries and no more than it has to, never a pinned, critical or protected one, and
// the same input evicts the same entries. Held against a reference that does it the plain way: count everything anew,
// sort everything anew, for one entry after the other.
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { z } from 'zod'
import type { RoomLimits } from 'callboard'
import type { Board, CellChange } from '../../../src/context/index.ts'
import type { Modules } from './modules.ts'

const KEYS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'kept', 'own'] as const
const PRIORITIES = ['critical', 'high', 'medium', 'low'] as const

const write = fc.record({
  key: fc.constantFrom(...KEYS),
  kind: fc.constantFrom('put', 'put', 'put', 'put', 'drop'),
  text: fc.oneof(fc.string({ unit: 'grapheme', maxLength: 60 }), fc.lorem({ maxCount: 8 })),
  priority: fc.option(fc.constantFrom(...PRIORITIES), { nil: undefined, freq: 3 }),
  pinned: fc.option(fc.boolean(), { nil: undefined, freq: 2 }),
  ttlMs: fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined, freq: 1 }),
})

const update = fc.record({
  ms: fc.nat(3),
  writes: fc.uniqueArray(write, { selector: ({ key }) => key, minLength: 1, maxLength: 4 }),
})

const limits = fc.record(
  {
    maxTokens: fc.integer({ min: 8, max: 90 }),
    maxEntries: fc.integer({ min: 1, max: 6 }),
    maxBytes: fc.integer({ min: 10, max: 240 }),
  },
  { requiredKeys: [] },
)

type UpdateCase = typeof update extends fc.Arbitrary<infer Item> ? Item : never

/** What the reference knows of an entry. */
interface Plain {
  readonly key: string
  readonly text: string
  readonly priority: (typeof PRIORITIES)[number]
  readonly pinned: boolean
  readonly version: number
  readonly at: number
  readonly expiresAt: number | undefined
}

interface Gone {
  readonly key: string
  readonly version: number
  readonly limit: string
  readonly max: number | undefined
  readonly needed: number
}

/** What came of an update: `undefined` when it was refused. */
type Came = { readonly evicted: readonly Gone[]; readonly expired: readonly string[] } | undefined

class Reference {
  readonly #limits: RoomLimits
  #living = new Map<string, Plain>()
  readonly #versions = new Map<string, number>()

  constructor(roomLimits: RoomLimits) {
    this.#limits = roomLimits
  }

  get living(): readonly Plain[] {
    return [...this.#living.values()]
  }

  apply(writes: UpdateCase['writes'], at: number): Came {
    const next = new Map(this.#living)
    const written = new Set<string>()
    const ended: string[] = []
    for (const { key, kind, text, priority, pinned, ttlMs } of writes) {
      const known = next.get(key)
      if (kind === 'drop') {
        // A protected key takes no deletion, be something there or not.
        if (key === 'kept') return undefined
        if (known === undefined) continue
        next.delete(key)
        ended.push(key)
        continue
      }
      if (key === 'kept' && known !== undefined) {
        if (known.text === text) continue
        return undefined
      }
      written.add(key)
      next.set(key, {
        key,
        text,
        priority: priority ?? known?.priority ?? 'medium',
        pinned: pinned ?? known?.pinned ?? false,
        version: (this.#versions.get(key) ?? 0) + 1,
        at,
        expiresAt: ttlMs === undefined ? undefined : at + ttlMs,
      })
    }
    const made = this.#makeRoom(next, written, at)
    if (made === undefined) return undefined
    for (const { key, version } of next.values()) this.#versions.set(key, version)
    for (const key of [...ended, ...made.expired, ...made.evicted.map((gone) => gone.key)])
      this.#versions.set(key, (this.#versions.get(key) ?? 0) + 1)
    this.#living = next
    return made
  }

  #makeRoom(next: Map<string, Plain>, written: ReadonlySet<string>, at: number): Came {
    const evicted: Gone[] = []
    if (this.#exceeded(next) === undefined) return { evicted, expired: [] }
    const overdue = [...next.values()].filter(({ key, expiresAt }) => !written.has(key) && (expiresAt ?? at + 1) <= at)
    for (const { key } of overdue) next.delete(key)
    for (let over = this.#exceeded(next); over !== undefined; over = this.#exceeded(next)) {
      const [least] = [...next.values()]
        .filter(({ key, priority, pinned }) => !pinned && priority !== 'critical' && key !== 'kept')
        .sort(
          (one, other) =>
            PRIORITIES.indexOf(other.priority) - PRIORITIES.indexOf(one.priority) ||
            one.at - other.at ||
            (one.key < other.key ? -1 : 1),
        )
      if (least === undefined || written.has(least.key)) {
        const [before, after] = [sizesOf(this.#living), sizesOf(next)]
        const grown = LIMITS.some(
          (name) => after[name] > (this.#limits[name] ?? Infinity) && after[name] > before[name],
        )
        if (grown) return undefined
        break
      }
      evicted.push({ key: least.key, version: least.version, ...over })
      next.delete(least.key)
    }
    return { evicted, expired: overdue.map(({ key }) => key) }
  }

  #exceeded(entries: ReadonlyMap<string, Plain>): Pick<Gone, 'limit' | 'max' | 'needed'> | undefined {
    const sizes = sizesOf(entries)
    const limit = LIMITS.find((name) => sizes[name] > (this.#limits[name] ?? Infinity))
    return limit === undefined ? undefined : { limit, max: this.#limits[limit], needed: sizes[limit] }
  }
}

const LIMITS = ['maxTokens', 'maxEntries', 'maxBytes'] as const

function sizesOf(entries: ReadonlyMap<string, Plain>): Record<(typeof LIMITS)[number], number> {
  const sizes = { maxTokens: 0, maxEntries: 0, maxBytes: 0 }
  for (const { key, text, priority, version } of entries.values()) {
    const section = `## ${key} (${priority}, v${version}, by outside, stale)\n${text}\n\n`
    sizes.maxTokens += Math.ceil([...section].length / 4)
    sizes.maxEntries += 1
    sizes.maxBytes += new TextEncoder().encode(key + JSON.stringify(text)).length
  }
  return sizes
}

export function propertyEviction(modules: Modules): fc.IProperty<unknown> {
  return fc.property(fc.array(update, { maxLength: 14 }), limits, (updates, room) => {
    const reference = new Reference(room)
    let board = createBoard(modules, room)
    let again = createBoard(modules, room)
    for (const { ms, writes } of updates) {
      const at = board.at + ms
      const expected = reference.apply(writes, at)
      const before = board
      board = applied(modules, before, writes, at)
      again = applied(modules, again, writes, at)
      assert.deepEqual(cameOf(board), expected, 'what goes, in which order and why, is what the plain way says')
      assert.deepEqual(livingOn(board), reference.living.map(shown).sort(byKey), 'and so is what stays')
      assert.deepEqual(changesOf(again), changesOf(board), 'the same input evicts the same entries')
      assertNothingSacredWent(before, changesOf(board))
      if (expected === undefined) assert.deepEqual(livingOn(before), livingOn(board), 'a refusal changes nothing')
    }
  })
}

function createBoard({ context, workflow: { entry } }: Modules, room: RoomLimits): Board {
  const catalogue = new context.Catalogue(
    {
      '*': entry(z.string(), { merge: 'replace', sensitive: false }),
      kept: entry(z.string(), { merge: 'replace', sensitive: false, protected: true }),
      own: entry(z.string(), { merge: 'replace', sensitive: false, scope: 'private' }),
    },
    { room },
  )
  return context.Board.create({ catalogue, runId: 'run', at: 1_000 })
}

function applied({ context }: Modules, board: Board, writes: UpdateCase['writes'], at: number): Board {
  const begun = board.begin(at, String(at), board.globals)
  const asked = writes.map(({ key, kind, text, priority, pinned, ttlMs }): [string, unknown] => {
    const where = key === 'own' ? { holder: 'ann' } : {}
    if (kind === 'drop') return [key, context.drop(where)]
    const options = Object.entries({ priority, pinned, ttlMs }).filter(([, value]) => value !== undefined)
    return [key, context.put(text, { ...where, ...Object.fromEntries(options) })]
  })
  const prepared = context.prepareUpdate(
    {
      catalogue: board.catalogue,
      author: { kind: 'outside', name: 'outside' },
      access: undefined,
      id: 'u',
      at,
      lineage: [],
      seen: () => 'unknown',
      others: () => [],
    },
    Object.fromEntries(asked),
  )
  assert.equal(prepared.kind, 'update')
  return begun.apply(prepared)
}

function changesOf(board: Board): readonly CellChange[] {
  const result = board.transcript.at(-1)?.result
  return result?.kind === 'accepted' ? result.changes : []
}

function cameOf(board: Board): Came {
  const result = board.transcript.at(-1)?.result
  if (result?.kind === 'refused') return undefined
  const changes = changesOf(board)
  const evicted = changes
    .filter(({ kind }) => kind === 'evict')
    .map(({ key, cell }) => ({ key, version: cell.entry.version - 1, ...(cell.entry.metadata['evicted'] as object) }))
  const expired = changes.filter(({ kind }) => kind === 'expire').map(({ key }) => key)
  return { evicted: evicted as unknown as readonly Gone[], expired }
}

type Shown = readonly [key: string, text: unknown, priority: string, pinned: boolean, version: number]

const shown = ({ key, text, priority, pinned, version }: Plain): Shown => [key, text, priority, pinned, version]
const byKey = ([one]: Shown, [other]: Shown): number => (one < other ? -1 : 1)

function livingOn(board: Board): readonly Shown[] {
  return [...board.cells()]
    .filter(({ live }) => live)
    .map(({ entry: { key, value, priority, pinned, version } }): Shown => [key, value, priority, pinned, version])
    .sort(byKey)
}

function assertNothingSacredWent(before: Board, changes: readonly CellChange[]): void {
  for (const change of changes) {
    if (change.kind !== 'evict') continue
    const entry = before.cell(change)?.entry
    assert.ok(entry !== undefined && !entry.pinned && !entry.protected && entry.priority !== 'critical', change.key)
  }
}
