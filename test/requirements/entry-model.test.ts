// REQUIREMENTS 1 to 13: what an entry is, and how it is read and written.
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, drop, entry, entryToJson, put } from 'callboard'
import { createWorld, idle, refusalOf, together } from '../runtime/world.ts'

describe('an entry', () => {
  it('knows its key, value, owner, time, scope, priority, metadata, version, expiry and dependencies', async () => {
    const { runtime, clock } = await createWorld()
    const board = defineContext({ goal: entry(z.string()), plan: entry(z.string(), { dependsOn: ['goal'] }) })
    const run = await runtime.start(idle(board))
    const at = clock.now()
    await run.update(
      { plan: put('ship', { priority: 'high', ttlMs: 500, metadata: { source: 'desk' } }) },
      { by: 'Ada' },
    )
    expect(run.entry('plan')).toMatchObject({
      key: 'plan',
      value: 'ship',
      owner: 'Ada',
      updatedAt: at,
      scope: 'workflow',
      priority: 'high',
      metadata: { source: 'desk', created_by: 'Ada' },
      version: 1,
      expiresAt: at + 500,
      dependsOn: ['goal'],
    })
  })

  it('has its defaults where nothing else is said', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(defineContext({ plain: entry(z.number()) })))
    await run.update({ plain: 1 })
    expect(run.entry('plain')).toMatchObject({
      scope: 'workflow',
      priority: 'medium',
      metadata: { created_by: 'outside' },
      version: 1,
      expiresAt: undefined,
      dependsOn: [],
      stale: false,
    })
  })

  it('is exactly ten names as plain JSON, instants as ISO 8601, null where it never expires', async () => {
    const { runtime, clock } = await createWorld()
    const board = defineContext({ goal: entry(z.string()), 'plan.*': entry(z.string(), { dependsOn: ['goal'] }) })
    const run = await runtime.start(idle(board))
    await run.update({ 'plan.a': 'for ever', 'plan.b': put('for a second', { ttlMs: 1_000, priority: 'critical' }) })
    const [lasting, passing] = [run.entry('plan.a'), run.entry('plan.b')]
    if (lasting === undefined || passing === undefined) throw new Error('both were written')
    expect(JSON.parse(JSON.stringify(entryToJson(lasting)))).toEqual({
      key: 'plan.a',
      value: 'for ever',
      agent_id: 'outside',
      timestamp: new Date(clock.now()).toISOString(),
      scope: 'workflow',
      priority: 'medium',
      metadata: { created_by: 'outside' },
      version: 1,
      expires_at: null,
      dependencies: ['goal'],
    })
    expect(entryToJson(passing)).toMatchObject({
      priority: 'critical',
      expires_at: new Date(clock.now() + 1_000).toISOString(),
    })
  })

  it('keeps counting its version and says who wrote it last, whatever the policy', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(idle(defineContext({ note: entry(z.object({ text: z.string() })) })))
    await run.update({ note: { text: 'one' } }, { by: 'Ada' })
    const first = run.entry('note')
    await clock.advance(10)
    await run.update({ note: { text: 'two' } }, { by: 'Bob' })
    expect(run.entry('note')).toMatchObject({ version: 2, owner: 'Ada', updatedBy: 'Bob', updatedAt: clock.now() })
    expect(run.entry('note')?.metadata).toEqual({ created_by: 'Ada', last_updated_by: 'Bob' })
    expect(first?.version).toBe(1)
    await run.update({ note: put({ text: 'three' }, { policy: 'replace' }) }, { by: 'Ada' })
    expect(run.entry('note')).toMatchObject({ version: 3, metadata: { last_updated_by: 'Ada' } })
    await run.update({ note: drop() })
    await run.update({ note: { text: 'again' } })
    expect(run.entry('note')?.version).toBe(5)
  })
})

describe('a value', () => {
  const KEPT = {
    date: new Date(Date.UTC(2026, 0, 1)),
    map: new Map<unknown, unknown>([
      [1, 'by number'],
      ['1', new Set(['nested'])],
    ]),
    set: new Set([1, '1']),
    big: 2n ** 70n,
    bytes: new Uint8Array([0, 255]),
    absent: undefined,
    nothing: null,
    list: [[], {}, -0],
  }

  it('of plain data comes back as it went in, types included', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(defineContext({ any: entry(z.unknown()) })))
    await run.update({ any: KEPT })
    expect(run.get('any')).toStrictEqual(KEPT)
    const [, record] = await run.ledger()
    expect(record?.changes[0]?.cell.entry.value).toStrictEqual(KEPT)
  })

  it.each([
    ['a function', { deep: [{ fn: () => 1 }] }, 'deep[0].fn'],
    ['an instance of a class', { when: new URL('http://localhost') }, 'when'],
    ['a symbol', { mark: Symbol('s') }, 'mark'],
    ['NaN', { ratio: Number.NaN }, 'ratio'],
    ['a lone surrogate', { text: '\uD800' }, 'text'],
    ['undefined in a list', { list: [1, undefined] }, 'list[1]'],
  ])('that is %s is refused with its place, never changed silently', async (_name, value, path) => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(defineContext({ any: entry(z.unknown()) })))
    const result = await run.tryUpdate({ any: value })
    expect(result).toMatchObject({ kind: 'refused', reason: 'value', key: 'any' })
    expect(result.kind === 'refused' && result.message).toContain(path)
    expect(run.get('any')).toBeUndefined()
  })

  it('with a cycle is refused', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(defineContext({ any: entry(z.unknown()) })))
    const loop: Record<string, unknown> = {}
    loop['self'] = loop
    expect(await run.tryUpdate({ any: loop })).toMatchObject({ kind: 'refused', reason: 'value' })
  })

  it('handed in or out is independent of what is stored, at every depth', async () => {
    const { runtime } = await createWorld()
    const board = defineContext({ any: entry(z.unknown()) })
    const seen: unknown[] = []
    const reader = board.agent({
      reads: ['any'],
      run({ view }) {
        const value = view.get('any') as { list: { n: number }[]; map: Map<string, number> }
        value.map.set('b', 2)
        expect(() => {
          const [first] = value.list
          if (first !== undefined) first.n = 9
        }).toThrow(TypeError)
        seen.push(view.get('any'))
      },
    })
    const given = { list: [{ n: 1 }], map: new Map([['a', 1]]) }
    const workflow = together(board, { reader }, { staysOpen: true })
    const run = await runtime.start(workflow)
    await run.update({ any: given })
    given.list[0] = { n: 7 }
    given.map.set('c', 3)
    const taken = run.get('any') as typeof given
    taken.map.set('d', 4)
    expect(run.get('any')).toEqual({ list: [{ n: 1 }], map: new Map([['a', 1]]) })
    const second = await runtime.start(workflow)
    expect(second.get('any')).toBeUndefined()
  })
})

it('a value changed by the agent that reads it stays as it was for everybody', async () => {
  const { runtime } = await createWorld()
  const board = defineContext({ any: entry(z.unknown(), { default: { list: [{ n: 1 }], map: new Map([['a', 1]]) } }) })
  const spoiler = board.agent({
    reads: ['any'],
    run({ view }) {
      const value = view.get('any') as { list: { n: number }[]; map: Map<string, number> }
      value.map.set('b', 2)
      const [first] = value.list
      if (first === undefined) return 'nothing to spoil'
      try {
        first.n = 9
        return 'changed'
      } catch (error) {
        return (error as Error).name
      }
    },
  })
  const workflow = board.workflow({ output: z.string(), agents: { spoiler } }).createMachine({
    id: 'spoiling',
    initial: 'on',
    states: { on: { invoke: { src: 'spoiler', onDone: 'off' } }, off: { type: 'final' } },
    output: ({ event }) => String((event as unknown as { output: unknown }).output),
  })
  const run = await runtime.start(workflow)
  await run.done
  expect(run.get('any')).toEqual({ list: [{ n: 1 }], map: new Map([['a', 1]]) })
})

describe('reading and writing by key', () => {
  it('reads, writes, deletes and asks for membership; what is absent is undefined, or an error where that is asked for', async () => {
    const { runtime } = await createWorld()
    const board = defineContext({ a: entry(z.number()), b: entry(z.number(), { default: 5 }) })
    const outcome: unknown[] = []
    const reader = board.agent({
      reads: ['*'],
      writes: ['*'],
      async run({ view, update }) {
        outcome.push(view.has('a'), view.get('a'), view.get('a') ?? 'default', view.get('b'))
        await update({ a: 1 })
        outcome.push(view.has('a'), view.getOrThrow('a'))
        const { versions } = await update({ a: drop() })
        outcome.push(versions, view.has('a'))
        view.getOrThrow('a')
      },
    })
    const run = await runtime.start(together(board, { reader }))
    const error = await refusalOf(run.done)
    expect(outcome).toEqual([false, undefined, 'default', 5, true, 1, { a: 2 }, false])
    expect(error).toMatchObject({ code: 'view.absent', details: { agent: 'reader', key: 'a' } })
  })

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('takes %s for an ordinary key', async (key) => {
    const { runtime } = await createWorld()
    // Not z.record(): zod leaves __proto__ out of what it parses.
    const board = defineContext({ '*': entry(z.unknown()) })
    const run = await runtime.start(idle(board))
    const nested = JSON.parse(`{"${key}": {"polluted": true}}`) as Record<string, unknown>
    const update: Record<string, unknown> = Object.create(null) as never
    update[key] = nested
    await run.update(update)
    expect(Object.hasOwn(run.get(key) ?? {}, key)).toBe(true)
    await run.update(Object.fromEntries([[key, { more: 1 }]]))
    expect(run.get(key)).toHaveProperty('more', 1)
    expect(Object.hasOwn(run.get(key) ?? {}, key)).toBe(true)
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    expect(run.entries().map((each) => each.key)).toEqual([key])
  })
})

it('a run knows its workflow, its entries, what its agents do, and when it was made and changed last', async () => {
  const { runtime, clock } = await createWorld()
  const board = defineContext({ note: entry(z.string(), { outside: true }) })
  const waiter = board.agent({ reads: ['note'], run: async ({ waitFor }) => void (await waitFor('note')) })
  const createdAt = clock.now()
  const run = await runtime.start(together(board, { waiter }, { staysOpen: true }))
  await clock.advance(100)
  expect(run.explain().agents).toMatchObject([{ id: 'waiter', status: 'waiting' }])
  await run.update({ note: 'here' })
  expect(await runtime.list()).toMatchObject([
    { runId: run.id, workflow: 'together', createdAt, updatedAt: clock.now(), status: 'active' },
  ])
  expect(clock.now()).toBe(createdAt + 100)
  expect(run.entries().map(({ key }) => key)).toEqual(['note'])
})
