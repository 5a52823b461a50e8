// A commit to memory is all or nothing whatever fails in it, does the same once however often it is repeated, and what is
// committed can be taken back. Random batches, with faults at the named points, against a reference made of plain maps.
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import type { AgentMemory, CommitResult, MemoryBatch, MemoryChange, MemoryItem, MemoryStore } from 'callboard/memory'
import type { Modules } from './modules.ts'

const POINTS = [
  'memory:apply:before',
  'memory:apply:after-batch',
  'memory:apply:after-item',
  'memory:apply:before-commit',
  'memory:apply:after',
] as const
const SCOPES = ['global', 'user'] as const
const SUBJECTS = ['tea', 'cake'] as const
const HOLDERS = { global: undefined, user: 'ada' } as const

/** Something or, twice as often, nothing. */
const seldom = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value })

const addition = {
  scope: fc.constantFrom(...SCOPES),
  subject: seldom(fc.constantFrom(...SUBJECTS)),
  id: seldom(fc.constantFrom('own-1', 'own-2')),
}
const change = fc.oneof(
  { weight: 3, arbitrary: fc.record({ op: fc.constant('add' as const), ...addition }) },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('supersede' as const),
      targets: fc.array(fc.nat(), { minLength: 1, maxLength: 2 }),
      ...addition,
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('deprecate' as const), target: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('noop' as const) }) },
)
const fault = fc.oneof(
  fc.constant(undefined),
  fc.record({ point: fc.constantFrom(...POINTS), count: fc.integer({ min: 1, max: 2 }) }),
)
const command = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('propose' as const),
      changes: fc.array(change, { minLength: 1, maxLength: 4 }),
      commit: fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
      fault,
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('commit' as const), batch: fc.nat(), fault }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('revert' as const), batch: fc.nat(), fault }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
)

type Change = typeof change extends fc.Arbitrary<infer Item> ? Item : never

/** What the reference knows of an item. */
interface Plain {
  readonly scope: (typeof SCOPES)[number]
  readonly id: string
  readonly subject: string | undefined
  readonly status: MemoryItem['status']
  readonly by: string | undefined
  readonly version: number
}

type Board = ReadonlyMap<string, Plain>

const keyOf = ({ scope, id }: Pick<Plain, 'scope' | 'id'>): string => `${scope} ${id}`

/** What a batch does to a board, or undefined where it cannot be done. Written apart from the product on purpose. */
function commitPlainly(board: Board, batch: MemoryBatch): Board | undefined {
  const after = new Map(board)
  for (const change of batch.changes) {
    if (change.op === 'noop') continue
    if ('text' in change) {
      const { id, subject } = change
      const scope = change.scope.kind as Plain['scope']
      if (after.has(keyOf({ scope, id }))) return undefined
      for (const { id: target, version } of change.supersedes) {
        if (!bury(after, board, keyOf({ scope, id: target }), version, { status: 'superseded', by: id }))
          return undefined
      }
      if (isTaken(after, scope, subject, id)) return undefined
      after.set(keyOf({ scope, id }), { scope, id, subject, status: 'active', by: undefined, version: 1 })
      continue
    }
    const key = keyOf({ scope: change.target.scope.kind as Plain['scope'], id: change.target.id })
    if (change.op === 'deprecate') {
      const life = { status: 'deprecated', by: undefined } as const
      if (!bury(after, board, key, change.target.version, life)) return undefined
      continue
    }
    const item = after.get(key)
    if (item === undefined || item.version !== change.target.version) return undefined
    const status = change.life?.status ?? 'deprecated'
    if (status === 'active' && isTaken(after, item.scope, item.subject, item.id)) return undefined
    const by = change.life?.tombstone?.supersededBy
    after.set(key, { ...item, status, by, version: (board.get(key)?.version ?? 0) + 1 })
  }
  return after
}

function bury(
  after: Map<string, Plain>,
  before: Board,
  key: string,
  version: number,
  life: Pick<Plain, 'status' | 'by'>,
): boolean {
  const item = after.get(key)
  if (item?.status !== 'active' || item.version !== version) return false
  after.set(key, { ...item, ...life, version: (before.get(key)?.version ?? 0) + 1 })
  return true
}

function isTaken(board: Board, scope: Plain['scope'], subject: string | undefined, id: string): boolean {
  if (subject === undefined) return false
  return [...board.values()].some(
    (item) => item.status === 'active' && item.scope === scope && item.subject === subject && item.id !== id,
  )
}

class Trial {
  readonly #modules: Modules
  readonly #store: MemoryStore
  readonly #batches: string[] = []
  #memory: AgentMemory | undefined
  #board: Board = new Map()
  #revision = 0
  #texts = 0

  constructor(modules: Modules) {
    this.#modules = modules
    this.#store = modules.memory.createVolatileMemory()
  }

  async restart(): Promise<void> {
    this.#memory = (await this.#modules.memory.createMemory({ store: this.#store })).for({ runId: 'run', user: 'ada' })
  }

  get #me(): AgentMemory {
    assert.ok(this.#memory)
    return this.#memory
  }

  async propose(changes: readonly Change[]): Promise<string | undefined> {
    const wanted = changes.flatMap((change) => this.#changeOf(change))
    if (wanted.length === 0) return undefined
    try {
      const { id } = await this.#me.propose(wanted)
      this.#batches.push(id)
      return id
    } catch (error) {
      const expected = ['memory.id-taken', 'memory.invalid-change', 'memory.unknown-item']
      assert.ok(
        expected.some((code) => this.#modules.base.isCallboardError(error, code)),
        String(error),
      )
      return undefined
    }
  }

  async revert(number: number): Promise<string | undefined> {
    const id = this.#batches[number % Math.max(1, this.#batches.length)]
    if (id === undefined || (await this.#store.batch(id))?.status !== 'committed') return undefined
    const batch = await this.#me.proposeRevert(id)
    this.#batches.push(batch.id)
    return batch.id
  }

  pick(number: number): string | undefined {
    return this.#batches[number % Math.max(1, this.#batches.length)]
  }

  /** Commits, with a fault or without, and again afterwards. */
  async commit(
    id: string | undefined,
    failing: { readonly point: string; readonly count: number } | undefined,
  ): Promise<void> {
    const batch = id === undefined ? undefined : await this.#store.batch(id)
    if (batch === undefined) return
    const isOld = batch.status === 'committed'
    const after = isOld ? this.#board : commitPlainly(this.#board, batch)
    const { failAt, setFaultHandler, isCallboardError } = this.#modules.base
    if (failing !== undefined) setFaultHandler(failAt(failing.point, failing.count, 'throw'))
    let first: CommitResult | undefined
    try {
      first = await this.#me.commit(batch.id)
    } catch (error) {
      assert.ok(isCallboardError(error, 'fault.injected'), String(error))
      // What fails after the store has it is done, and only then.
      const isDone = failing?.point === 'memory:apply:after'
      await this.#expect(isDone && after !== undefined ? after : this.#board, this.#revision + (isDone ? 1 : 0))
    } finally {
      setFaultHandler(undefined)
    }
    const again = await this.#me.commit(batch.id)
    assert.equal(again.kind, after === undefined ? 'refused' : 'committed')
    if (first !== undefined) assert.equal(first.kind, again.kind)
    if (first?.kind === 'committed' && again.kind === 'committed') assert.deepEqual(again.ids, first.ids)
    if (after !== undefined && !isOld) this.#revision += 1
    this.#board = after ?? this.#board
    await this.#expect(this.#board, this.#revision)
  }

  /** What can be read in every way is what the reference says. */
  async #expect(board: Board, revision: number): Promise<void> {
    const items = await this.#store.list({ scopes: 'all' })
    const found = items.map(({ scope, id, subject, status, tombstone, version }) => {
      return { scope: scope.kind, id, subject, status, by: tombstone?.supersededBy, version }
    })
    const sorted = (list: readonly Plain[]): readonly Plain[] =>
      list.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)).map((item) => ({ ...item }))
    assert.deepEqual(sorted(found as readonly Plain[]), sorted([...board.values()]))
    const active = [...board.values()].filter(({ status }) => status === 'active').length
    const filter = { scopes: SCOPES.map((kind) => ({ kind, holder: HOLDERS[kind] })), statuses: ['active'] as const }
    assert.equal((await this.#store.searchWords(['item'], filter, 1_000)).length, active)
    const [vector] = await this.#modules.memory.lexicalEmbedder.embed(['item'])
    const near = await this.#store.searchVector(Float32Array.from(vector ?? []), filter, {
      threshold: -1e9,
      limit: 1_000,
    })
    assert.equal(near.length, active)
    assert.equal((await this.#store.state()).revision, revision)
  }

  #changeOf(change: Change): readonly MemoryChange[] {
    const items = [...this.#board.values()]
    const target = (number: number): Plain | undefined => items[number % Math.max(1, items.length)]
    if (change.op === 'noop') return [change]
    if (change.op === 'deprecate') {
      const item = target(change.target)
      return item === undefined ? [] : [{ op: 'deprecate', target: item.id }]
    }
    const { scope, subject, id } = change
    const item = {
      kind: 'semantic' as const,
      scope,
      text: `item ${++this.#texts}`,
      ...(subject === undefined ? {} : { subject }),
      ...(id === undefined ? {} : { id }),
    }
    if (change.op === 'add') return [{ op: 'add', ...item }]
    const supersedes = change.targets.flatMap((number) => target(number)?.id ?? [])
    return supersedes.length === 0 ? [] : [{ op: 'supersede', supersedes, ...item }]
  }
}

export function propertyMemoryCommits(modules: Modules): fc.IAsyncProperty<unknown> {
  return fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 8 }), async (commands) => {
    const trial = new Trial(modules)
    await trial.restart()
    for (const command of commands) {
      if (command.kind === 'propose') {
        const id = await trial.propose(command.changes)
        if (command.commit) await trial.commit(id, command.fault)
      } else if (command.kind === 'commit') await trial.commit(trial.pick(command.batch), command.fault)
      else if (command.kind === 'revert') await trial.commit(await trial.revert(command.batch), command.fault)
      else await trial.restart()
    }
  })
}
