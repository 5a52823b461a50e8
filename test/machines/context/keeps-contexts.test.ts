// The durable context of S0: REQUIREMENTS 10 to 12, 42 to 46, 57 to 71 and 74 to 87 in the words of its users.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { CallboardError, createVolatileStore, defineContext, importLedger } from 'callboard'
import type { Store } from 'callboard'
import { context as workflow, openContext } from 'callboard/machines/context'
import type { ContextOptions, DurableContext } from 'callboard/machines/context'
import { openSqlite } from 'callboard/sqlite'
import { createTestClock } from '../../support/clock.ts'
import { createWorld, refusalOf } from '../../runtime/world.ts'

async function open(options: Partial<ContextOptions> = {}): Promise<DurableContext> {
  const context = await openContext({ id: 'session-7', clock: createTestClock(), ...options })
  onTestFinished(() => context.close())
  return context
}

async function openFile(): Promise<Store> {
  const folder = mkdtempSync(join(tmpdir(), 'callboard-context-'))
  const store = await openSqlite(join(folder, 'runs.db'), { durability: 'process' })
  onTestFinished(async () => {
    await store.close()
    rmSync(folder, { recursive: true })
  })
  return store
}

const reasonsOf = (context: DurableContext): readonly string[] => context.snapshots().map(({ reason }) => reason)

describe('a durable context', () => {
  it('is read like a dictionary', async () => {
    const context = await open({ initial: { topic: 'tides', parts: 2 } })
    expect(context.get('topic')).toBe('tides')
    expect(context.get('missing')).toBeUndefined()
    expect(context.get('missing', 'nothing')).toBe('nothing')
    expect([context.has('topic'), context.has('missing')]).toEqual([true, false])
    expect(context.keys()).toEqual(['parts', 'topic'])
    expect([...context]).toEqual([
      ['parts', 2],
      ['topic', 'tides'],
    ])
    expect(context.toObject()).toEqual({ topic: 'tides', parts: 2 })
    const error = (() => {
      try {
        return context.getOrThrow('missing')
      } catch (thrown) {
        return thrown
      }
    })()
    expect(error).toMatchObject({ code: 'context.absent', details: { name: 'missing' } })
    expect(context.getOrThrow('parts')).toBe(2)
  })

  it('is written name by name or together, each change counting once', async () => {
    const context = await open()
    const before = context.version
    await context.set('plan', { steps: ['one'] })
    await context.update({ plan: { steps: ['two'] }, notes: [] })
    expect(context.version).toBe(before + 2)
    expect(await context.delete('notes')).toBe(true)
    expect(await context.delete('notes')).toBe(false)
    await context.set('plan', { steps: ['two'] })
    expect(context.toObject()).toEqual({ plan: { steps: ['two'] } })
    expect((await context.log()).map(({ operation, key }) => [operation, key])).toEqual([
      ['set', 'data.plan'],
      ['update', 'data.plan'],
      ['set', 'data.notes'],
      ['delete', 'data.notes'],
      ['update', 'data.plan'],
    ])
  })

  it('takes any name, and gives nobody a way in', async () => {
    const context = await open()
    for (const name of ['__proto__', 'constructor', 'data.x', 'ephemeral.y']) await context.set(name, { of: name })
    expect(context.get('__proto__')).toEqual({ of: '__proto__' })
    expect(Object.keys(context.toObject()).toSorted()).toEqual(['__proto__', 'constructor', 'data.x', 'ephemeral.y'])
    expect(({} as { of?: string }).of).toBeUndefined()
    const mine = { list: [1] }
    await context.set('mine', mine)
    mine.list.push(2)
    expect(context.get('mine')).toEqual({ list: [1] })
    expect(() => (context.get<number[]>('mine') as never as { list: number[] }).list.push(3)).toThrow(TypeError)
  })

  it('is opened again with everything in it: types, snapshots and log, but nothing ephemeral', async () => {
    const store = await openFile()
    const first = await open({ store, initial: { session_id: 's-7' } })
    await first.set('when', new Date(0))
    await first.set('seen', new Map([[1, new Set(['a'])]]))
    await first.set('scratch', 'a thought', { ephemeral: true })
    const point = await first.snapshot('half')
    await first.set('when', 'later')
    const log = await first.log()
    await first.close()

    const next = await open({ store })
    expect(next.toObject()).toEqual({ session_id: 's-7', when: 'later', seen: new Map([[1, new Set(['a'])]]) })
    expect(reasonsOf(next)).toEqual(['half'])
    expect((await next.log()).slice(0, log.length)).toEqual(log)
    expect(await next.at(point.id)).toMatchObject({ when: new Date(0) })
    expect((await refusalOf(next.set('session_id', 'other'))).code).toBe('update.refused')
  })

  it('is moved with its types and its history, and goes on in another store', async () => {
    const context = await open({ initial: { seen: new Map([['a', 1n]]) } })
    await context.snapshot('first')
    await context.set('more', 1)
    const text = await context.exportLedger()
    const store = createVolatileStore()
    await importLedger(store, text)
    const copy = await open({ store })
    expect(copy.toObject()).toEqual(context.toObject())
    expect(await copy.log()).toEqual(await context.log())
    expect(await copy.exportLedger()).toBe(text)
    expect(JSON.parse(JSON.stringify((await copy.export()).snapshots))).toMatchObject([{ reason: 'first' }])
  })

  it('keeps a name in one place, however many write it at once', async () => {
    const context = await open()
    const options = [{}, { ephemeral: true }, {}, { protected: true }]
    await Promise.all(options.map((option, index) => context.set('name', index, option)))
    expect(context.run.entries().map(({ key, value }) => [key, value])).toEqual([['protected.name', 3]])
    const refused = context.set('name', 4)
    const after = context.set('other', 5)
    expect((await refusalOf(refused)).code).toBe('update.refused')
    await after
    expect(context.toObject()).toEqual({ name: 3, other: 5 })
  })

  it('is written by several processes without loss: each writes on what the others have written', async () => {
    const store = await openFile()
    // Two runtimes over one file know as little of each other as two processes do.
    const [one, other] = [await open({ store }), await open({ store })]
    for (const round of [1, 2, 3]) {
      await Promise.all([
        one.set(`one.${round}`, round),
        other.set(`other.${round}`, round),
        other.update({ [`both.${round}`]: 'other' }, { policy: 'safe' }),
        one.update({ [`both.${round}`]: 'one' }, { policy: 'safe' }),
      ])
    }
    await one.refresh()
    await other.refresh()
    expect(one.keys()).toHaveLength(9)
    expect(other.toObject()).toEqual(one.toObject())
    expect((await one.run.ledger()).filter(({ kind }) => kind === 'update')).toHaveLength(9)
    await one.set('late', 1)
    expect(await other.delete('late')).toBe(true)
  })

  it('works in a runtime of somebody else, who closes it', async () => {
    const { runtime } = await createWorld({ workflows: [workflow] })
    const context = await openContext({ id: 'mine', runtime, initial: { a: 1 } })
    await context.close()
    expect(runtime.get('mine')?.get('data.a')).toBe(1)
    expect((await openContext({ id: 'mine', runtime })).get('a')).toBe(1)
  })

  it('is not opened under the id of a run of another workflow, which stays as it is', async () => {
    const other = defineContext({})
      .workflow({ name: 'other' })
      .createMachine({ id: 'other', initial: 'a', states: { a: {} } })
    const { runtime } = await createWorld({ workflows: [workflow, other] })
    const { seq } = await runtime.start(other, { runId: 'mine' })
    await expect(openContext({ id: 'mine', runtime })).rejects.toThrow(
      'mine is a run of the workflow other, and no context; choose another id',
    )
    expect(runtime.get('mine')).toMatchObject({ workflow: 'other', status: 'active', seq })
  })

  it('keeps to its limits: the oldest names make room, what is protected never does', async () => {
    const context = await open({ limits: { maxEntries: 2 }, initial: { session_id: 's' } })
    await context.set('one', 1)
    await context.run.update({ 'data.two': 2 })
    expect(context.keys()).toEqual(['session_id', 'two'])
  })
})

describe('what is protected', () => {
  it('takes the value it has and no other, and cannot be deleted, be it there or not', async () => {
    const context = await open()
    expect((await refusalOf(context.delete('initial_task'))).message).toContain('protected.initial_task')
    await context.set('initial_task', 'measure')
    await context.set('initial_task', 'measure')
    await context.set('key_of_lock', 'iron', { protected: true })
    for (const name of ['initial_task', 'key_of_lock']) {
      expect((await refusalOf(context.set(name, 'other'))).message).toContain(`"protected.${name}" is protected`)
      expect((await refusalOf(context.delete(name))).code).toBe('update.refused')
      expect((await refusalOf(context.set(name, 'other', { ephemeral: true }))).code).toBe('update.refused')
      expect((await refusalOf(context.update({ free: 1, [name]: 'other' }))).code).toBe('update.refused')
    }
    expect(context.toObject()).toEqual({ initial_task: 'measure', key_of_lock: 'iron' })
  })

  it('can become so later, and is in one place only', async () => {
    const context = await open()
    await context.set('result', 1)
    await context.set('result', 2, { protected: true })
    expect([context.get('result'), context.keys()]).toEqual([2, ['result']])
    expect((await refusalOf(context.set('result', 3))).code).toBe('update.refused')
    expect((await refusalOf(context.set('x', 1, { protected: true, ephemeral: true }))).code).toBe('context.flags')
  })

  it('stays when the rest is replaced or put back', async () => {
    const context = await open({ initial: { run_id: 'r', old: 1 } })
    const point = await context.snapshot('before')
    await context.set('kept', true, { protected: true })
    await context.update({ fresh: 2 }, { policy: 'replace' })
    expect(context.toObject()).toEqual({ run_id: 'r', kept: true, fresh: 2 })
    await context.restore(point)
    expect(context.toObject()).toEqual({ run_id: 'r', kept: true, old: 1 })
  })
})

describe('merging', () => {
  it('overwrites and adds, adds only, merges deeply, replaces, or puts a prefix before every name', async () => {
    const context = await open({ initial: { a: { x: 1 }, b: 1 } })
    await context.update({ a: { y: 2 }, c: 3 }, { policy: 'safe' })
    expect(context.toObject()).toEqual({ a: { x: 1 }, b: 1, c: 3 })
    await context.update({ a: { y: 2 } }, { policy: 'deep' })
    expect(context.get('a')).toEqual({ x: 1, y: 2 })
    await context.update({ b: 2 }, { policy: 'prefixed', prefix: 'plan.' })
    expect(context.get('plan.b')).toBe(2)
    await context.update({ b: 9 }, { policy: 'replace' })
    expect(context.toObject()).toEqual({ b: 9 })
    expect((await refusalOf(context.update({ b: 2 }, { policy: 'prefixed' }))).code).toBe('context.prefix')
  })
})

describe('a phase', () => {
  it('works on a picture of its own, is merged safely, and lies between two snapshots; what is ephemeral ends with it', async () => {
    const context = await open({ initial: { topic: 'tides', draft: 'none' } })
    await context.set('scratch', 'a thought', { ephemeral: true })
    const given = await context.phase('planning', async (seen) => {
      expect(seen).toEqual({ topic: 'tides', draft: 'none', scratch: 'a thought' })
      expect(Object.isFrozen(seen)).toBe(true)
      await context.set('meanwhile', true)
      expect('meanwhile' in seen).toBe(false)
      return { topic: 'other', plan: ['measure'] }
    })
    expect(given).toEqual({ topic: 'other', plan: ['measure'] })
    expect(context.toObject()).toEqual({ topic: 'tides', draft: 'none', meanwhile: true, plan: ['measure'] })
    expect(reasonsOf(context)).toEqual(['before_planning', 'after_planning'])
    expect(await context.at(context.snapshots()[0]?.id ?? '')).toEqual({ topic: 'tides', draft: 'none' })
  })

  it('that fails merges nothing and says so in its snapshot', async () => {
    const context = await open({ initial: { a: 1 } })
    const failing = context.phase('planning', () => Promise.reject(new Error('no idea')))
    await expect(failing).rejects.toThrow('no idea')
    expect(context.toObject()).toEqual({ a: 1 })
    expect(context.snapshots().at(-1)).toMatchObject({ reason: 'after_planning', metadata: { status: 'failed' } })
    // What cannot be kept fails a phase too.
    await expect(context.phase('next', () => ({ live: () => {} }))).rejects.toMatchObject({ code: 'update.refused' })
    expect(context.snapshots().at(-1)).toMatchObject({ reason: 'after_next', metadata: { status: 'failed' } })
  })
})

describe('checkpoints', () => {
  it('are taken after so many changes, and of nothing that was no change', async () => {
    const context = await open({ checkpointEvery: 2 })
    for (const value of [1, 2, 3, 4, 5]) await context.set('count', value)
    await context.delete('absent')
    await context.update({})
    expect(reasonsOf(context)).toEqual(['checkpoint', 'checkpoint'])
    expect(await context.at(context.snapshots()[1]?.id ?? '')).toEqual({ count: 4 })
    await context.restore()
    expect(context.toObject()).toEqual({ count: 4 })
    expect((await refusalOf(open({ id: 'other', checkpointEvery: 0.5 }))).code).toBe('context.checkpoints')
  })
})

it('a write that others are always faster than ends, and says what it lost to', async () => {
  const context = await open()
  let tries = 0
  const update = (): Promise<never> => {
    tries += 1
    return Promise.reject(new CallboardError('store.conflict', 'somebody was faster', {}))
  }
  Object.defineProperty(context.run, 'update', { value: update })
  await expect(context.set('a', 1)).rejects.toMatchObject({ code: 'store.conflict' })
  expect(tries).toBe(1_000)
})
