// Every wait ends, once: met, timed out, aborted, cancelled, or named in a deadlock. And it leaves nothing behind.
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import * as fc from 'fast-check'
import { z } from 'zod'
import type { CallboardError } from 'callboard'
import { createTestClock } from '../../support/clock.ts'
import type { TestClock } from '../../support/clock.ts'
import type { Board, Sight } from '../../../src/context/index.ts'
import type { Deadlines } from '../../../src/base/index.ts'
import type { ConditionSpec, WaitTable } from '../../../src/waits/index.ts'
import type { Modules } from './modules.ts'

const KEYS = ['a', 'b', 'c'] as const
const WAITERS = ['ann', 'ben'] as const

const command = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      waiter: fc.constantFrom(...WAITERS),
      keys: fc.uniqueArray(fc.constantFrom(...KEYS), { minLength: 1, maxLength: 3 }),
      mode: fc.constantFrom('one', 'all', 'any', 'condition', 'odd condition'),
      fresh: fc.boolean(),
      since: fc.nat(2),
      timeoutMs: fc.oneof(fc.integer({ min: 0, max: 60 }), fc.constantFrom(Number.POSITIVE_INFINITY, 2 ** 31)),
      signal: fc.option(fc.nat(1), { nil: undefined }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('write' as const), key: fc.constantFrom(...KEYS), drops: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('jump' as const), ms: fc.integer({ min: -20, max: 40 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('abort' as const), signal: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), waiter: fc.constantFrom(...WAITERS) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('deadlock' as const), waiter: fc.constantFrom(...WAITERS) }) },
)

type Command = typeof command extends fc.Arbitrary<infer Item> ? Item : never
type WaitCommand = Extract<Command, { kind: 'wait' }>

interface World {
  readonly clock: TestClock
  readonly deadlines: Deadlines
  readonly waits: WaitTable
  readonly controllers: readonly AbortController[]
  readonly sight: Sight
  board: Board
  /** How each wait ended, by number. */
  readonly endings: Map<number, string[]>
  /** What each was for, by number. */
  readonly asked: Map<number, WaitCommand>
  /** Waits that were not met at once. */
  begun: number
  /** How often the table has said that one ended. */
  ended: number
}

export function propertyWaiting(modules: Modules): fc.IAsyncProperty<unknown> {
  return fc.asyncProperty(fc.array(command, { maxLength: 25, size: 'max' }), async (commands) => {
    const world = createWorld(modules)
    for (const each of commands) {
      await perform(modules, world, each)
      await assertNobodyWaitsInVain(world)
    }
    assertAccounted(world)
    world.waits.rejectAll(() => new Error('the run has ended'))
    await world.clock.settle()
    assertNothingLeft(world)
    await world.clock.advance(2 ** 32)
    for (const [id, endings] of world.endings)
      assert.equal(endings.length, 1, `wait ${id} ended once: ${endings.join(', ')}`)
  })
}

function createWorld({ base, context, waits, workflow }: Modules): World {
  const clock = createTestClock()
  const deadlines = new base.Deadlines(clock)
  const any = z.unknown()
  const catalogue = new context.Catalogue({
    a: workflow.entry(any),
    b: workflow.entry(any, { dependsOn: ['a'] as never[] }),
    c: workflow.entry(any, { ttlMs: 30 }),
  })
  const rules = { type: 't', role: undefined, reads: ['*'], writes: [], groups: [], grants: {}, scopes: undefined }
  const world: World = {
    clock,
    deadlines,
    controllers: [new AbortController(), new AbortController()],
    sight: new context.Sight('ann', new context.Access(rules), new context.Filters()),
    board: context.Board.create({ catalogue, runId: 'run', at: clock.now() }),
    endings: new Map(),
    asked: new Map(),
    begun: 0,
    ended: 0,
    waits: new waits.WaitTable(clock, deadlines, () => (world.ended += 1)),
  }
  return world
}

async function perform(modules: Modules, world: World, act: Command): Promise<void> {
  const { waits, clock, controllers } = world
  switch (act.kind) {
    case 'wait':
      return begin(modules, world, act)
    case 'write':
      return write(modules, world, act)
    case 'pass':
      await clock.advance(act.ms)
      assertDueIsOver(world)
      return
    case 'jump':
      return clock.jump(act.ms)
    case 'abort':
      return controllers[act.signal]?.abort(new Error('aborted'))
    case 'cancel':
      waits.cancel(act.waiter, new Error('cancelled'))
      return assertNoneOf(world, act.waiter)
    case 'deadlock': {
      const graph = modules.waits.buildWaitForGraph([{ agent: act.waiter, waitsFor: ['a'], writers: {} }])
      waits.rejectAll(
        ({ waiter }) => modules.waits.deadlockError('run', waiter, graph),
        ({ waiter }) => waiter === act.waiter,
      )
      return assertNoneOf(world, act.waiter)
    }
    default:
      throw new TypeError(`unknown command ${String(act satisfies never)}`)
  }
}

function begin({ base: { CallboardError } }: Modules, world: World, asked: WaitCommand): void {
  const { waits, sight, controllers, endings } = world
  const { waiter, keys, mode, fresh, since, timeoutMs } = asked
  const signal = asked.signal === undefined ? undefined : controllers[asked.signal]?.signal
  const onTimeout = (): CallboardError => new CallboardError('wait.timeout', 'too late')
  const basics = { waiter, timeoutMs, signal, onTimeout }
  const { size } = waits
  const promise =
    mode === 'condition' || mode === 'odd condition'
      ? waits.addCondition({ ...basics, ...conditionOf(world, asked) })
      : waits.add({
          ...basics,
          keys,
          mode: mode as 'one' | 'all' | 'any',
          fresh,
          since,
          read: (key) => sight.find(world.board, key),
        })
  world.begun += waits.size - size
  const id = endings.size + 1
  const mine: string[] = []
  endings.set(id, mine)
  world.asked.set(id, asked)
  promise.then(
    () => mine.push('met'),
    (error: Error & { code?: string }) => mine.push(error.code ?? error.message),
  )
}

/** An odd condition throws, ends its own wait, or looks elsewhere each time. */
function conditionOf(
  world: World,
  { mode, keys, since, signal, waiter }: WaitCommand,
): Pick<ConditionSpec, 'evaluate' | 'concerns'> {
  let times = 0
  const evaluate = (): { result: unknown; keys: readonly string[] | 'every' } => {
    times += 1
    if (mode === 'odd condition' && times === 2) {
      if (since === 0) throw new Error('a condition failed')
      if (since === 1) world.waits.cancel(waiter, new Error('cancelled by itself'))
      else if (signal !== undefined) world.controllers[signal]?.abort(new Error('aborted by itself'))
      return { result: false, keys: ['a', 'b'] }
    }
    const result = keys.every((key) => world.sight.find(world.board, key) !== undefined)
    return { result, keys: times % 2 === 0 ? 'every' : keys }
  }
  return { evaluate, concerns: () => true }
}

function write({ context }: Modules, world: World, { key, drops }: Extract<Command, { kind: 'write' }>): void {
  const at = world.clock.now()
  const begun = world.board.begin(at, String(at), world.board.globals).expire(at)
  const update = context.prepareUpdate(
    {
      catalogue: begun.catalogue,
      author: context.WORKFLOW_AUTHOR,
      access: undefined,
      id: 'u',
      at,
      lineage: [],
      seen: () => 'unknown',
      others: () => [],
    },
    { [key]: drops ? context.drop() : 1 },
  )
  assert.equal(update.kind, 'update')
  world.board = begun.apply(update)
  const changes = world.board.transcript.flatMap(({ result }) => (result.kind === 'accepted' ? result.changes : []))
  world.waits.touch(changes)
}

function assertNoneOf({ waits }: World, waiter: string): void {
  assert.ok(
    waits.list().every((wait) => wait.waiter !== waiter),
    `${waiter} waits no more`,
  )
}

/** Nobody waits for what is there, on a signal that was aborted, or is listed after the end. */
async function assertNobodyWaitsInVain({ clock, asked, endings, controllers, sight, board }: World): Promise<void> {
  await clock.settle()
  for (const [id, { mode, keys, fresh, since, signal }] of asked) {
    if (endings.get(id)?.length !== 0) continue
    const isAborted = signal !== undefined && controllers[signal]?.signal.aborted === true
    assert.ok(!isAborted, `wait ${id} ended with its signal`)
    if (mode === 'odd condition') continue
    const isThere = (key: string): boolean => {
      const entry = sight.find(board, key)?.entry
      if (entry === undefined || mode === 'condition') return entry !== undefined
      return entry.version > since && !(fresh && entry.stale)
    }
    const first = keys.slice(0, 1)
    const isMet = mode === 'any' ? keys.some(isThere) : (mode === 'one' ? first : keys).every(isThere)
    assert.ok(!isMet, `wait ${id} was met by what is there`)
  }
}

/** After time has passed nobody waits beyond their time. */
function assertDueIsOver({ waits, clock }: World): void {
  for (const { id, sinceAt, timeoutMs } of waits.list()) {
    assert.ok(sinceAt + timeoutMs > clock.now(), `wait ${id} is not over its time`)
  }
}

/** Whatever is not listed has ended, and nothing that is listed has. */
function assertAccounted({ waits, endings, deadlines, begun, ended, controllers }: World): void {
  const open = [...endings.values()].filter(({ length }) => length === 0).length
  assert.equal(waits.size, open, 'who waits is listed, who is not has ended')
  const timed = waits.list().filter(({ timeoutMs }) => timeoutMs !== Number.POSITIVE_INFINITY).length
  assert.equal(deadlines.size, timed, 'one deadline for each that has one')
  for (const { signal } of controllers) {
    if (signal.aborted) assert.equal(getEventListeners(signal, 'abort').length, 0, 'nobody listens to what was aborted')
  }
  assert.equal(ended, begun - waits.size, 'the end of a wait is told once')
}

function assertNothingLeft({ waits, deadlines, clock, controllers }: World): void {
  assert.equal(waits.size, 0, 'no wait is left')
  assert.equal(deadlines.size, 0, 'no deadline is left')
  assert.equal(clock.armed, 0, 'no timer is left')
  for (const { signal } of controllers)
    assert.equal(getEventListeners(signal, 'abort').length, 0, 'no listener is left')
}
