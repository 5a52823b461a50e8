// Non-interference: two histories that differ only in what an agent cannot see give that agent the same bytes.
//
// Ann is the observer. Ben writes what she sees, Eve what she does not; Cal only keeps the run from being deadlocked. A
// history is a list of
// moments: what both histories share, and, before it, what happens out of Ann's sight, which is another in each.
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { z } from 'zod'
import type { Modules } from './modules.ts'
import { startPuppets } from './puppets.ts'
import type { PuppetShow } from './puppets.ts'

type Show = PuppetShow<'ann' | 'ben' | 'cal' | 'eve'>
type ItemOf<Source> = Source extends fc.Arbitrary<infer Item> ? Item : never

const VISIBLE = ['open.1', 'open.2', 'derived.1', 'world.open'] as const
/** Where Ann cannot look: a key outside her reads, a group, a secret, other agents' private entries, also under a key of hers. */
const HIDDEN = [
  { key: 'hidden.1' },
  { key: 'team.1', group: 'coders' },
  { key: 'vault.1' },
  { key: 'own.1', holder: 'eve' },
  { key: 'open.1', scope: 'private', holder: 'eve' },
  { key: 'derived.1', scope: 'private', holder: 'eve' },
  { key: 'world.hidden' },
  { key: 'blind.1' },
] as const

const RIGHTS = {
  ann: {
    reads: ['open.*', 'derived.*', 'own.*', 'team.*', 'vault.*', 'world.open'],
    writes: ['open.*', 'derived.*', 'own.*', 'team.*', 'vault.*', 'blind.*', 'world.open'],
  },
  ben: { reads: ['*'], writes: ['*'] },
  eve: { reads: ['*'], writes: ['*'], groups: ['coders'], grants: { sensitive: ['*'], protected: ['*'] } },
  cal: { reads: ['*'] },
} as const

const value = fc.oneof(
  fc.integer({ min: 0, max: 3 }),
  fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 2 }),
  fc.dictionary(fc.constantFrom('a', 'b'), fc.integer({ min: 0, max: 3 }), { maxKeys: 2, noNullPrototype: true }),
)
const policy = fc.constantFrom(
  'smart',
  'deep',
  'shallow',
  'safe',
  'replace',
  'append',
  'union',
  'counter',
  'max',
  'reject',
)
const put = fc.record({ kind: fc.constant('put' as const), value, policy: fc.option(policy, { nil: undefined }) })
const brief = fc.record({ kind: fc.constant('brief' as const), value, ttlMs: fc.integer({ min: 1, max: 80 }) })
const patch = fc.record({ kind: fc.constant('patch' as const), value })
const drop = fc.record({ kind: fc.constant('drop' as const) })
const write = fc.oneof(
  { weight: 5, arbitrary: put },
  { weight: 2, arbitrary: brief },
  { weight: 1, arbitrary: patch },
  { weight: 2, arbitrary: drop },
)

const hiddenAct = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      by: fc.constantFrom('eve', 'outside'),
      where: fc.constantFrom(...HIDDEN),
      write,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refusal' as const), where: fc.constantFrom(...HIDDEN) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('read' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 80 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('subscribe' as const) }) },
)

const ANNS_KEYS = [
  'open.1',
  'open.2',
  'derived.1',
  'own.1',
  'team.1',
  'vault.1',
  'blind.1',
  'hidden.1',
  'world.open',
] as const

const sharedAct = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('ann writes' as const),
      writes: fc.uniqueArray(fc.tuple(fc.constantFrom(...ANNS_KEYS), write), {
        maxLength: 2,
        selector: ([key]) => key,
      }),
      expectedVersion: fc.option(fc.nat(2), { nil: undefined, freq: 4 }),
      expectedSeq: fc.option(fc.integer({ min: -1, max: 0 }), { nil: undefined, freq: 5 }),
      dropsOthers: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('ben writes' as const), key: fc.constantFrom(...VISIBLE), write }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('time passes' as const), ms: fc.integer({ min: 1, max: 100 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('clock jumps' as const), ms: fc.integer({ min: 1, max: 100 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('ann waits' as const),
      keys: fc.uniqueArray(fc.constantFrom('open.1', 'own.1', 'team.1', 'vault.1', 'world.open'), {
        minLength: 1,
        maxLength: 2,
      }),
      mode: fc.constantFrom('all', 'any', 'condition', 'whole view'),
      fresh: fc.boolean(),
      ms: fc.integer({ min: 1, max: 80 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('ann subscribes' as const),
      pattern: fc.constantFrom('*', 'open.1', 'own.*', 'hidden.1'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('ann reads' as const),
      key: fc.constantFrom('open.1', 'own.1', 'team.1', 'vault.1'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('ann reads all' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('ann writes behind her own' as const),
      key: fc.constantFrom('vault.1', 'open.1', 'team.1'),
      value,
    }),
  },
)

const moment = fc.record({
  one: fc.array(hiddenAct, { maxLength: 3 }),
  other: fc.array(hiddenAct, { maxLength: 3 }),
  shared: sharedAct,
  /** Whether what is hidden is committed before what is shared begins, or may be under way at the same time. */
  apart: fc.boolean(),
})

type Moment = ItemOf<typeof moment>

/** Everything Ann is told, in the order she is told it. */
class Diary {
  readonly lines: string[] = []
  readonly #canonicalJson: (value: unknown) => string
  #lastView: unknown

  constructor(canonicalJson: (value: unknown) => string) {
    this.#canonicalJson = canonicalJson
  }

  note(what: string, content: unknown): void {
    this.lines.push(`${what}: ${this.#canonicalJson(content)}`)
  }

  /** Writes down what a promise comes to, when it does. */
  follow(what: string, promise: Promise<unknown>): void {
    promise.then(
      (result) => this.note(what, result),
      (error: Error & { code?: string; details?: unknown }) =>
        this.note(what, {
          code: error.code,
          message: withoutDoings(error.message),
          details: errorDetails(error.details),
        }),
    )
  }

  /** Looks at Ann's view from all sides, without her looking. */
  look({ run, clock }: Show): void {
    const view = run.view('ann')
    this.note('same view', view === this.#lastView)
    this.#lastView = view
    this.note('view', {
      now: clock.now(),
      seq: view.seq,
      keys: view.keys(),
      entries: view.entries(),
      object: view.toObject(),
    })
    this.note('text', view.render({ maxTokens: 60 }).text)
    for (const { key } of HIDDEN) this.note('one', [view.has(key), view.get(key), view.entry(key)])
  }
}

/** What the agents that could have written a key are doing is told on purpose (DESIGN section 5); it is not about entries. */
function errorDetails(details: unknown): unknown {
  const { producers: _doings, ...rest } = (details ?? {}) as Record<string, unknown>
  return rest
}

function withoutDoings(message: string): string {
  return message.replaceAll(/ \((?:running|waiting)\)/g, '')
}

export function propertyNonInterference(modules: Modules): fc.IAsyncProperty<unknown> {
  return fc.asyncProperty(fc.array(moment, { minLength: 1, maxLength: 7, size: 'max' }), async (moments) => {
    const one = await live(modules, moments, ({ one }) => one)
    const other = await live(modules, moments, ({ other }) => other)
    one.forEach((line, index) => assert.equal(line, other[index], 'what is out of sight leaves no trace'))
    assert.equal(one.length, other.length, 'what is out of sight tells nothing')
  })
}

async function live(
  modules: Modules,
  moments: readonly Moment[],
  pick: (moment: Moment) => Moment['one'],
): Promise<readonly string[]> {
  const show: Show = await startPuppets(modules, definitionsOf(modules) as never, RIGHTS)
  const diary = new Diary(modules.base.canonicalJson)
  diary.look(show)
  for (const each of moments) {
    for (const act of pick(each)) hide(modules, show, act)
    if (each.apart) {
      await show.clock.settle()
      diary.look(show)
    }
    await share(modules, show, each.shared, diary)
    await show.clock.settle()
    diary.look(show)
  }
  await show.clock.advance(200)
  diary.look(show)
  diary.note('deliveries', show.run.deliveries('ann'))
  await show.runtime.close()
  return diary.lines
}

function definitionsOf({ workflow: { entry } }: Modules): object {
  const any = z.unknown()
  return {
    'open.*': entry(any),
    'derived.*': entry(any, { dependsOn: ['own.1', 'open.2'] as never[], priority: 'high' }),
    'own.*': entry(any, { scope: 'private' }),
    'team.*': entry(any, { scope: 'group', group: 'coders' }),
    'vault.*': entry(any, { sensitive: true }),
    'hidden.*': entry(any),
    'blind.*': entry(any),
    'world.*': entry(any, { scope: 'global' }),
  }
}

function writeOf({ context }: Modules, asked: ItemOf<typeof write>, where: object): unknown {
  switch (asked.kind) {
    case 'put':
      return context.put(asked.value, { ...where, ...(asked.policy === undefined ? {} : { policy: asked.policy }) })
    case 'brief':
      return context.put(asked.value, { ...where, ttlMs: asked.ttlMs })
    case 'patch':
      return context.patch(asked.value, where)
    case 'drop':
      return context.drop(where)
    default:
      throw new TypeError(`unknown write ${String(asked satisfies never)}`)
  }
}

function hide(modules: Modules, { run, agents: { eve } }: Show, act: ItemOf<typeof hiddenAct>): void {
  switch (act.kind) {
    case 'write': {
      const { key, ...where } = act.where
      const writer = act.by === 'eve' ? eve : run
      void writer.tryUpdate({ [key]: writeOf(modules, act.write, where) })
      return
    }
    case 'refusal':
      void eve.tryUpdate({ [act.where.key]: modules.context.put(1, { expectedVersion: 99 }) })
      return
    case 'read':
      eve.view.entries()
      return
    case 'wait':
      eve.waitFor('hidden.2', { timeoutMs: act.ms }).catch(() => {})
      return
    case 'subscribe':
      eve.on('*', () => {})
      return
    default:
      throw new TypeError(`unknown act ${String(act satisfies never)}`)
  }
}

/**
 * Where Ann may write but not look. Whether such an update is accepted depends on what is there, and that much comes with
 * the right to write; so her updates there are of the kinds that are always accepted, and must tell her nothing else.
 */
const isBlind = (key: string): boolean => key === 'blind.1' || key === 'vault.1'

const CONDITIONAL = new Set(['append', 'union', 'counter', 'max', 'reject'])

function unconditional(key: string, asked: ItemOf<typeof write>): ItemOf<typeof write> {
  if (!isBlind(key) || asked.kind !== 'put' || !CONDITIONAL.has(asked.policy ?? '')) return asked
  return { ...asked, policy: undefined }
}

async function share(modules: Modules, show: Show, act: ItemOf<typeof sharedAct>, diary: Diary): Promise<void> {
  const { run, clock, agents } = show
  const { ann, ben } = agents
  switch (act.kind) {
    case 'ann writes': {
      const changes = Object.fromEntries(
        act.writes.map(([key, asked]) => [key, writeOf(modules, unconditional(key, asked), {})]),
      )
      const key = act.writes.map(([name]) => name).find((name) => !isBlind(name))
      diary.follow(
        'update',
        ann.tryUpdate(changes, {
          ...(act.expectedVersion === undefined || key === undefined
            ? {}
            : { expectedVersion: { [key]: act.expectedVersion } }),
          ...(act.expectedSeq === undefined ? {} : { expectedSeq: run.view('ann').seq + act.expectedSeq }),
          ...(act.dropsOthers ? { others: 'drop' } : {}),
        }),
      )
      return
    }
    case 'ben writes':
      void ben.tryUpdate({ [act.key]: writeOf(modules, act.write, {}) })
      return
    case 'time passes':
      return clock.advance(act.ms)
    case 'clock jumps':
      clock.jump(act.ms)
      // Whoever reads first after a late timer sets off the expiry; when that is, is not what is asked here.
      run.entries()
      return
    case 'ann waits':
      diary.follow(`wait for ${act.mode}`, waitAs(ann, act, diary))
      return
    case 'ann subscribes':
      ann.on(act.pattern, (notification) => diary.note('told', notification))
      return
    case 'ann reads':
      diary.note('get', ann.view.get(act.key))
      diary.follow(
        'getOrThrow',
        Promise.try(() => ann.view.getOrThrow(act.key)),
      )
      return
    case 'ann reads all':
      diary.note('current', ann.view.current.entries())
      return
    case 'ann writes behind her own': {
      const { put } = modules.context
      diary.follow('own', ann.tryUpdate({ [act.key]: put(act.value, { scope: 'private' }) }))
      // Refused whatever is there: only the reason could tell.
      const wide = put(act.value, { scope: 'workflow', expectedVersion: 99 })
      diary.follow('behind', ann.tryUpdate({ [act.key]: wide }))
      return
    }
    default:
      throw new TypeError(`unknown act ${String(act satisfies never)}`)
  }
}

function waitAs(
  ann: Show['agents']['ann'],
  { mode, keys, fresh, ms }: Extract<ItemOf<typeof sharedAct>, { kind: 'ann waits' }>,
  diary: Diary,
): Promise<unknown> {
  const options = { timeoutMs: ms, fresh }
  if (mode === 'all') return ann.waitForAll(keys, options)
  if (mode === 'any') return ann.waitForAny(keys, options)
  return ann.waitFor(
    (view) => {
      // That she is asked again is something she learns, too.
      diary.note('asked', mode)
      return mode === 'condition' ? keys.every((key) => view.has(key)) : view.entries().length > 3
    },
    { timeoutMs: ms },
  )
}
