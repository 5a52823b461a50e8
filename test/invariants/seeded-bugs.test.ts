// Every property has to fail for a bug of the kind it is there for. Each case loads the modules afresh, breaks exactly
// one thing in them, and expects the property to find out within the runs that it is normally given.
import { AssertionError } from 'node:assert'
import type * as fc from 'fast-check'
import { afterEach, expect, it, vi } from 'vitest'
import type { Entry, MergeInput, MergeResult, Policy, PolicyName } from 'callboard'
import type { MemoryStore } from 'callboard/memory'
import type * as Values from '../../src/base/value.ts'
import type * as RestModule from '../../src/runtime/rest.ts'
import type * as Order from '../../src/context/eviction-order.ts'
import { propertyEviction } from './properties/eviction.ts'
import { propertyHandlers } from './properties/handlers.ts'
import { propertyIsolation } from './properties/isolation.ts'
import { propertyMemoryCommits } from './properties/memory-commits.ts'
import { propertyArgumentsStay, propertyOrderDoesNotMatter, propertyThreeWay } from './properties/merging.ts'
import { loadModules } from './properties/modules.ts'
import type { Modules } from './properties/modules.ts'
import { propertyNonInterference } from './properties/non-interference.ts'
import { propertyRendering } from './properties/rendering.ts'
import { propertyResting } from './properties/resting.ts'
import { firstViolation } from './properties/run-property.ts'
import { propertySnapshots } from './properties/snapshots.ts'
import { propertyVersions } from './properties/versions.ts'
import { propertyViews } from './properties/views.ts'
import { propertyWaiting } from './properties/waiting.ts'

interface Bug {
  readonly name: string
  readonly property: (modules: Modules) => fc.IProperty<unknown> | fc.IAsyncProperty<unknown>
  /** Replaces a module before anything is loaded. */
  readonly replace?: () => void
  /** Breaks what was loaded, or gives modules of which one is broken. */
  readonly sabotage?: (modules: Modules) => Modules | void
}

/** Replaces one policy. */
function withPolicy(modules: Modules, name: PolicyName, policy: Policy): Modules {
  return { ...modules, context: { ...modules.context, POLICIES: { ...modules.context.POLICIES, [name]: policy } } }
}

/** Replaces how the memory's store applies a batch. */
function withMemoryStore(
  modules: Modules,
  change: (store: { readonly apply: MemoryStore['apply'] }) => MemoryStore['apply'],
): Modules {
  const createVolatileMemory = (): MemoryStore => {
    const store = modules.memory.createVolatileMemory()
    store.apply = change({ apply: store.apply.bind(store) })
    return store
  }
  return { ...modules, memory: { ...modules.memory, createVolatileMemory } }
}

type BaseValues = typeof Values

const VALUES = '../../src/base/value.ts'
const REST = '../../src/runtime/rest.ts'

type EvictionOrder = typeof Order

const EVICTION_ORDER = '../../src/context/eviction-order.ts'

const BUGS: readonly Bug[] = [
  {
    name: 'a pinned entry makes room',
    property: propertyEviction,
    replace: () =>
      vi.doMock(EVICTION_ORDER, async (importOriginal) => {
        const actual = await importOriginal<EvictionOrder>()
        return { ...actual, isEvictable: (entry: Entry) => actual.isEvictable({ ...entry, pinned: false }) }
      }),
  },
  {
    name: 'a critical entry makes room',
    property: propertyEviction,
    replace: () =>
      vi.doMock(EVICTION_ORDER, async (importOriginal) => ({
        ...(await importOriginal<EvictionOrder>()),
        isEvictable: ({ pinned, protected: isProtected }: Entry) => !pinned && !isProtected,
      })),
  },
  {
    name: 'of two entries of one priority the newer makes room',
    property: propertyEviction,
    replace: () =>
      vi.doMock(EVICTION_ORDER, async (importOriginal) => {
        const { compareForEviction, ...actual } = await importOriginal<EvictionOrder>()
        const newestFirst = (one: Entry, other: Entry): number =>
          one.priority === other.priority ? compareForEviction(other, one) : compareForEviction(one, other)
        return { ...actual, compareForEviction: newestFirst }
      }),
  },
  {
    name: 'the room of a deleted entry is not given back',
    property: propertyEviction,
    sabotage: ({ context: { Occupancy } }) => {
      const { after } = Occupancy.prototype
      Occupancy.prototype.after = function (changes) {
        return after.call(
          this,
          changes.filter(({ kind }) => kind !== 'drop'),
        )
      }
    },
  },
  {
    name: 'versions start again after a deletion',
    property: propertyVersions,
    sabotage: ({ context: { Shelf } }) => {
      const { get } = Shelf.prototype
      Shelf.prototype.get = function (address) {
        const cell = get.call(this, address)
        return cell?.live === true ? cell : undefined
      }
    },
  },
  {
    name: 'a record loses its last change',
    property: propertyVersions,
    sabotage: ({ context: { Board } }) => {
      const { withCells } = Board.prototype
      Board.prototype.withCells = function (cells) {
        return withCells.call(this, cells.length > 1 ? cells.slice(0, -1) : cells)
      }
    },
  },
  {
    name: 'a snapshot leaves out what was deleted',
    property: propertySnapshots,
    sabotage: (modules) => {
      const { emptyRun, unpackRun } = modules.runState
      const unpackLiving: typeof unpackRun = (packed, catalogue, runId, tail) => {
        const state = unpackRun(packed, catalogue, runId, tail)
        const living = [...state.board.cells()].filter(({ live }) => live)
        const { board } = emptyRun(catalogue, runId)
        return { ...state, board: board.withCells(living) }
      }
      return { ...modules, runState: { ...modules.runState, unpackRun: unpackLiving } }
    },
  },
  {
    name: 'a snapshot forgets which steps are finished',
    property: propertySnapshots,
    sabotage: (modules) => {
      const { packRun } = modules.runState
      const packWithoutJournal: typeof packRun = (state) => {
        const packed = packRun(state)
        return { ...packed, notes: { ...packed.notes, journal: [] } }
      }
      return { ...modules, runState: { ...modules.runState, packRun: packWithoutJournal } }
    },
  },
  {
    name: 'a run at rest sleeps through its deadline',
    property: propertyResting,
    replace: () => {
      vi.doMock(REST, async (original) => {
        const real = await original<typeof RestModule>()
        const restOf: typeof real.restOf = (facts) => {
          const rest = real.restOf(facts)
          return rest && { ...rest, until: Number.POSITIVE_INFINITY }
        }
        return { ...real, restOf }
      })
    },
  },
  {
    name: 'a run at rest does not hear what other runs write',
    property: propertyResting,
    replace: () => {
      vi.doMock(REST, async (original) => {
        const real = await original<typeof RestModule>()
        // Whatever other runs write does not bring it back.
        const restOf: typeof real.restOf = (facts) => {
          const rest = real.restOf(facts)
          return rest && { ...rest, concerns: [] }
        }
        return { ...real, restOf }
      })
    },
  },
  {
    name: 'a life time with a fraction never ends',
    property: propertyVersions,
    sabotage: ({ context: { Shelf } }) => {
      const { expiredAt } = Shelf.prototype
      Shelf.prototype.expiredAt = function (at) {
        return expiredAt.call(this, at).filter((address) => Number.isInteger(this.get(address)?.entry.expiresAt))
      }
    },
  },
  {
    name: 'the group of an entry is not looked at',
    property: propertyNonInterference,
    sabotage: ({ context: { Access } }) => {
      const { admits } = Access.prototype
      Access.prototype.admits = function (entry, agentId) {
        return admits.call(this, entry.scope === 'group' ? { ...entry, holder: this.groups[0] } : entry, agentId)
      }
    },
  },
  {
    name: 'a secret needs no grant',
    property: propertyNonInterference,
    sabotage: ({ context: { Access } }) => {
      const { admits } = Access.prototype
      Access.prototype.admits = function (entry, agentId) {
        // Nor by the catalogue that this one would have.
        return admits.call(new Access(this.rules), { ...entry, sensitive: false }, agentId)
      }
    },
  },
  {
    name: 'a view moves on at every commit',
    property: propertyNonInterference,
    sabotage: ({ context: { BoardView } }) => {
      BoardView.prototype.next = function (board) {
        return new BoardView(board, this.sight)
      }
    },
  },
  {
    name: 'a condition is asked again whatever has changed',
    property: propertyNonInterference,
    sabotage: ({ context: { Sight } }) => {
      Sight.prototype.isTouchedBy = () => true
    },
  },
  {
    name: 'a derived view forgets the first of several changes',
    property: propertyViews,
    sabotage: ({ context: { BoardView } }) => {
      const { next } = BoardView.prototype
      BoardView.prototype.next = function (board, changes) {
        return next.call(this, board, changes.length > 1 ? changes.slice(1) : changes)
      }
    },
  },
  {
    name: 'priorities are ordered as text',
    property: propertyViews,
    replace: () =>
      vi.doMock('../../src/context/priority.ts', async (importOriginal) => ({
        ...(await importOriginal<object>()),
        rankOf: (priority: string) => priority.charCodeAt(0),
      })),
  },
  {
    name: 'a change of filters goes unnoticed',
    property: propertyViews,
    sabotage: ({ context: { Filters } }) => {
      Object.defineProperty(Filters.prototype, 'epoch', { get: () => 0 })
    },
  },
  {
    name: 'a Map is handed out as it is stored',
    property: propertyIsolation,
    replace: () =>
      vi.doMock(VALUES, async (importOriginal) => {
        const actual = await importOriginal<BaseValues>()
        const handOut = (value: unknown): unknown => (value instanceof Map ? value : actual.handOut(value))
        return { ...actual, handOut }
      }),
  },
  {
    name: 'values are kept without a copy',
    property: propertyIsolation,
    replace: () =>
      vi.doMock(VALUES, async (importOriginal) => {
        const actual = await importOriginal<BaseValues>()
        return { ...actual, admitValue: (value: unknown) => ({ ...actual.admitValue(value), value }) }
      }),
  },
  {
    name: 'values are copied and not frozen',
    property: propertyIsolation,
    replace: () =>
      vi.doMock(VALUES, async (importOriginal) => {
        const actual = await importOriginal<BaseValues>()
        return {
          ...actual,
          admitValue: (value: unknown) => ({ ...actual.admitValue(value), value: structuredClone(value) }),
        }
      }),
  },
  {
    name: 'union keeps the order of arrival',
    property: propertyOrderDoesNotMatter,
    sabotage: (modules) =>
      withPolicy(modules, 'union', ({ current, update }) => ({
        kind: 'accept',
        value: [...new Set([...(current as Iterable<unknown>), ...(update as Iterable<unknown>)])],
        conflicts: [],
      })),
  },
  {
    name: 'counter forgets an addition that was made in parallel',
    property: propertyOrderDoesNotMatter,
    sabotage: (modules) =>
      withPolicy(modules, 'counter', (input) =>
        input.concurrent
          ? { kind: 'accept', value: input.update, conflicts: [] }
          : modules.context.POLICIES.counter(input),
      ),
  },
  {
    name: 'of two texts the later one counts as the larger',
    property: propertyOrderDoesNotMatter,
    sabotage: (modules) =>
      withPolicy(modules, 'max', (input) =>
        typeof input.current === 'string'
          ? { kind: 'accept', value: input.update, conflicts: [] }
          : modules.context.POLICIES.max(input),
      ),
  },
  {
    name: 'a merge writes into what is there',
    property: propertyArgumentsStay,
    sabotage: (modules) =>
      withPolicy(modules, 'shallow', (input): MergeResult => {
        if (modules.base.isPlainObject(input.current)) Object.assign(input.current, input.update)
        return { kind: 'accept', value: input.current, conflicts: [] }
      }),
  },
  {
    name: 'what the author had seen is forgotten',
    property: propertyThreeWay,
    sabotage: (modules) =>
      withPolicy(modules, 'deep', (input: MergeInput) =>
        modules.context.POLICIES.deep({ ...input, base: input.current, concurrent: false }),
      ),
  },
  {
    name: 'a conflict is named by its first key only',
    property: propertyThreeWay,
    sabotage: (modules) =>
      withPolicy(modules, 'smart', (input) => {
        const result = modules.context.POLICIES.smart(input)
        if (result.kind !== 'accept') return result
        return { ...result, conflicts: result.conflicts.map((one) => ({ ...one, path: one.path.slice(0, 1) })) }
      }),
  },
  {
    name: 'a prompt may be twice as long',
    property: propertyRendering,
    sabotage: ({ context: { BoardView } }) => {
      const { render } = BoardView.prototype
      BoardView.prototype.render = function (options) {
        return render.call(this, { ...options, maxTokens: options.maxTokens * 2 })
      }
    },
  },
  {
    name: 'what is pinned is left out like everything else',
    property: propertyRendering,
    sabotage: ({ context: { BoardView } }) => {
      const { entries } = BoardView.prototype
      BoardView.prototype.entries = function () {
        return entries.call(this).map((entry) => ({ ...entry, pinned: false }))
      }
    },
  },
  {
    name: 'what is critical is left out like everything else',
    property: propertyRendering,
    sabotage: ({ context: { BoardView } }) => {
      const { entries } = BoardView.prototype
      BoardView.prototype.entries = function () {
        return entries.call(this).map((entry) => ({ ...entry, priority: 'high' }))
      }
    },
  },
  {
    name: 'the plan does not tell what was left out',
    property: propertyRendering,
    sabotage: ({ context: { BoardView } }) => {
      const { render } = BoardView.prototype
      BoardView.prototype.render = function (options) {
        const rendered = render.call(this, options)
        return { ...rendered, plan: rendered.plan.filter(({ decision }) => decision !== 'out') }
      }
    },
  },
  {
    name: 'an abort goes unheard',
    property: propertyWaiting,
    sabotage: ({ waits: { WaitTable } }) => {
      const { add } = WaitTable.prototype
      WaitTable.prototype.add = function (spec) {
        return add.call(this, { ...spec, signal: spec.signal?.aborted === true ? spec.signal : undefined })
      }
    },
  },
  {
    name: 'the deadline of a wait that ended stays',
    property: propertyWaiting,
    sabotage: ({ base: { Deadlines } }) => {
      const { add } = Deadlines.prototype
      Deadlines.prototype.add = function (at, fire) {
        add.call(this, at, fire)
        return { at, cancel: () => {} }
      }
    },
  },
  {
    name: 'a wait is told to have ended twice',
    property: propertyWaiting,
    sabotage: (modules) => {
      class Twice extends modules.waits.WaitTable {
        constructor(...[clock, deadlines, onEnd = () => {}]: ConstructorParameters<Modules['waits']['WaitTable']>) {
          super(clock, deadlines, () => {
            onEnd()
            onEnd()
          })
        }
      }
      return { ...modules, waits: { ...modules.waits, WaitTable: Twice } }
    },
  },
  {
    name: 'cancelling an agent leaves its waits',
    property: propertyWaiting,
    sabotage: ({ waits: { WaitTable } }) => {
      WaitTable.prototype.cancel = () => {}
    },
  },
  {
    name: 'only the first of several writes wakes those who wait',
    property: propertyWaiting,
    sabotage: ({ waits: { WaitTable } }) => {
      const { touch } = WaitTable.prototype
      let times = 0
      WaitTable.prototype.touch = function (changes) {
        times += 1
        if (times % 2 === 1) touch.call(this, changes)
      }
    },
  },
  {
    name: 'a part of a memory batch stays when its commit fails',
    property: propertyMemoryCommits,
    sabotage: (modules) =>
      withMemoryStore(modules, ({ apply }) => async (commit) => {
        try {
          await apply(commit)
        } catch (error) {
          modules.base.setFaultHandler(undefined)
          const batch = { ...commit.batch, status: 'staged' } as const
          await apply({ ...commit, batch, writes: commit.writes.slice(0, 1) })
          throw error
        }
      }),
  },
  {
    name: 'a memory batch that was committed is committed again',
    property: propertyMemoryCommits,
    sabotage: (modules) =>
      withMemoryStore(modules, ({ apply }) => (commit) => {
        return apply({ ...commit, batch: { ...commit.batch, status: 'staged', vectors: [] } })
      }),
  },
  {
    name: 'memory loses the last of several items of a batch',
    property: propertyMemoryCommits,
    sabotage: (modules) =>
      withMemoryStore(modules, ({ apply }) => (commit) => {
        const { writes } = commit
        return apply({ ...commit, writes: writes.length > 2 ? writes.slice(0, -1) : writes })
      }),
  },
  {
    name: 'a handler that fails keeps the others from being told',
    property: propertyHandlers,
    replace: () => {
      class FragileBus {
        readonly #handlers = new Map<string, Set<(message: unknown) => void>>()
        readonly #onFailure: (failure: object) => void
        constructor(onFailure: (failure: object) => void) {
          this.#onFailure = onFailure
        }
        on(topic: string, handler: (message: unknown) => void): () => void {
          const handlers = this.#handlers.get(topic) ?? new Set()
          this.#handlers.set(topic, handlers.add(handler))
          return () => handlers.delete(handler)
        }
        has(topic: string): boolean {
          return (this.#handlers.get(topic)?.size ?? 0) > 0
        }
        emit(topic: string, message: unknown): void {
          try {
            for (const handler of this.#handlers.get(topic) ?? []) {
              void Promise.resolve(handler(message)).catch(() => {})
            }
          } catch (error) {
            if (topic !== 'failure') this.#onFailure({ topic, error })
          }
        }
        clear(): void {
          this.#handlers.clear()
        }
      }
      vi.doMock('../../src/base/bus.ts', () => ({ Bus: FragileBus }))
    },
  },
]

afterEach(() => {
  vi.doUnmock('../../src/base/bus.ts')
  vi.doUnmock(VALUES)
  vi.doUnmock(REST)
  vi.doUnmock('../../src/context/priority.ts')
  vi.resetModules()
})

it.each(BUGS.map((bug) => [bug.name, bug] as const))(
  'would notice that %s',
  async (_name, { property, replace, sabotage }) => {
    vi.resetModules()
    replace?.()
    const fresh = await loadModules()
    const modules = sabotage?.(fresh) ?? fresh

    const violation = await firstViolation(property(modules))

    expect(violation).toBeInstanceOf(AssertionError)
  },
)
