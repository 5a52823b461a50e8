import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, drop, entry, put } from 'callboard'
import type { Run } from 'callboard'
import { createGate, createWorld, idle, refusalOf, together } from './world.ts'

const board = defineContext({
  note: entry(z.string()),
  count: entry(z.int(), { merge: 'counter' }),
  answer: entry(z.string()),
  'any.*': entry(z.unknown()),
})

describe('after the end', () => {
  it('updates, events and answers are refused with `run.finished`; reading goes on', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    await run.update({ note: 'x' })
    await run.send({ type: 'stop' })
    await run.done
    for (const late of [
      () => run.update({ note: 'y' }),
      () => run.tryUpdate({ note: 'y' }),
      () => run.tryUpdate({ note: 7 as never }),
      () => run.send({ type: 'stop' }),
      () => run.send({ type: 'unheard of' }),
    ])
      expect((await refusalOf(late())).code).toBe('run.finished')
    expect((await refusalOf(run.answer('x', 1))).code).toBe('request.not-open')
    expect(run.get('note')).toBe('x')
    await run.stop()
    expect(run.status).toBe('done')
    expect((await run.ledger()).map(({ kind }) => kind)).toEqual(['start', 'update', 'event'])
    expect(run.seq).toBe(3)
  })

  it('a subscription hears nothing and ends without harm', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    await run.stop()
    const end = run.subscribe('*', () => expect.unreachable())
    end()
  })
})

describe('stopping', () => {
  it('twice, also at the same time, is stopping once', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    await Promise.all([run.stop('first'), run.stop('second'), run.stop('third')])
    await run.stop('fourth')
    expect((await run.ledger()).filter(({ kind }) => kind === 'end')).toHaveLength(1)
    expect((await refusalOf(run.done)).message).toContain('first')
  })

  it('with updates on their way: each is either acknowledged and stored, or refused', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    const before = [1, 2, 3].map(() => run.tryUpdate({ count: 1 }))
    const stopping = run.stop()
    const after = [1, 2, 3].map(() => run.tryUpdate({ count: 1 }))
    const outcomes = await Promise.allSettled([...before, ...after])
    await stopping
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
      'rejected',
    ])
    expect(run.get('count')).toBe(3)
    expect((await run.ledger()).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5])
    expect((await run.ledger()).at(-1)?.kind).toBe('end')
  })

  it('a handler may stop the run it is told of', async () => {
    const { runtime, clock } = await createWorld()
    const run = await runtime.start(idle(board))
    run.subscribe('note', () => run.stop('seen enough'))
    await run.update({ note: 'x' })
    await clock.settle()
    expect((await refusalOf(run.done)).message).toContain('seen enough')
  })

  it('a listener on records may stop the run in the middle of a commit', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    runtime.on('record', ({ record }) => {
      if (record.kind === 'update') void run.stop('by listener')
    })
    const results = await Promise.allSettled([run.update({ note: 'x' }), run.update({ note: 'y' })])
    expect(results[0]?.status).toBe('fulfilled')
    await refusalOf(run.done)
    expect(run.status).toBe('stopped')
    const seqs = (await run.ledger()).map(({ seq }) => seq)
    expect(seqs).toEqual(seqs.map((_seq, index) => index + 1))
  })

  it('an agent that goes on writing after it was stopped is refused', async () => {
    const { runtime, clock } = await createWorld()
    const gate = createGate()
    const outcomes: unknown[] = []
    const stubborn = board.agent({
      reads: ['note'],
      writes: ['note'],
      run: async ({ update, waitFor, step, ask, on, send, signal }) => {
        await gate.passed
        expect(signal.aborted).toBe(true)
        for (const attempt of [
          () => update({ note: 'stubborn' }),
          () => waitFor('note'),
          () => step('more', () => {}),
          () => ask('note'),
          () => on('note', () => {}),
          () => send({ type: 'back' }),
        ]) {
          try {
            outcomes.push(await attempt())
          } catch (error) {
            outcomes.push((error as { code: string }).code)
          }
        }
      },
    })
    const workflow = board.workflow({ agents: { stubborn } }).createMachine({
      initial: 'a',
      states: { a: { invoke: { src: 'stubborn' }, on: { next: 'b' } }, b: { on: { back: 'a' } } },
    })
    const run = await runtime.start(workflow)
    await run.send({ type: 'next' })
    gate.open()
    await clock.settle()
    expect(outcomes).toEqual(Array.from({ length: 6 }, () => 'agent.stopped'))
    expect(run.get('note')).toBeUndefined()
    expect(run.requests()).toEqual([])
    expect(run.state).toBe('b')
  })

  it('an agent that goes on after its function has returned is refused', async () => {
    const { runtime, clock } = await createWorld()
    const gate = createGate()
    const outcomes: unknown[] = []
    const leaks = board.agent({
      writes: ['note'],
      run: ({ update }) => {
        void gate.passed
          .then(() => update({ note: 'late' }))
          .catch((error: unknown) => outcomes.push((error as { code: string }).code))
      },
    })
    const run = await runtime.start(together(board, { leaks }, { staysOpen: true }))
    await clock.settle()
    gate.open()
    await clock.settle()
    expect(outcomes).toEqual(['agent.ended'])
    expect(run.get('note')).toBeUndefined()
  })

  it('what an agent gives back after it was stopped goes nowhere', async () => {
    const { runtime, clock } = await createWorld()
    const gate = createGate<string>()
    const slow = board.agent({ run: () => gate.passed })
    const workflow = board.workflow({ agents: { slow } }).createMachine({
      initial: 'a',
      states: {
        a: { invoke: { src: 'slow', onDone: 'wrong' }, on: { next: 'b' } },
        b: { on: { next: 'a' } },
        wrong: {},
      },
    })
    const run = await runtime.start(workflow)
    await run.send({ type: 'next' })
    await run.send({ type: 'next' })
    const { seq } = run
    expect(run.explain().agents.filter(({ status }) => status === 'running')).toHaveLength(1)
    gate.open('both at once')
    await clock.settle()
    expect(run.state).toBe('wrong')
    expect(run.seq).toBe(seq + 1)
  })
})

describe('at the same time', () => {
  it('two answers to one request: one is taken, the other told so', async () => {
    const { runtime, clock } = await createWorld()
    const asks = board.agent({ reads: ['answer'], run: async ({ ask }) => void (await ask('answer')) })
    const run = await runtime.start(together(board, { asks }))
    await clock.settle()
    const { id } = run.requests()[0]!
    const results = await Promise.allSettled([run.answer(id, 'yes'), run.answer(id, 'no')])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    await run.done
    expect(run.get('answer')).toBe('yes')
    expect(run.entry('answer')?.version).toBe(1)
  })

  it('an answer and the end of the agent: the answer is refused or stored, never half', async () => {
    const { runtime, clock } = await createWorld()
    const asks = board.agent({ reads: ['answer'], run: async ({ ask }) => void (await ask('answer')) })
    const workflow = board.workflow({ agents: { asks } }).createMachine({
      initial: 'a',
      states: { a: { invoke: { src: 'asks' }, on: { next: 'b' } }, b: {} },
    })
    const run = await runtime.start(workflow)
    await clock.settle()
    const { id } = run.requests()[0]!
    const [answered] = await Promise.allSettled([run.answer(id, 'yes'), run.send({ type: 'next' })])
    await clock.settle()
    expect(run.get('answer')).toBe(answered.status === 'fulfilled' ? 'yes' : undefined)
    expect(run.requests()).toEqual([])
  })

  it('resolving one conflict twice lets one of them decide', async () => {
    const { runtime } = await createWorld()
    const things = defineContext({ thing: entry(z.object({ a: z.string() }), { default: { a: 'base' } }) })
    const gates = [createGate(), createGate()]
    const ann = things.agent({
      reads: ['thing'],
      writes: ['thing'],
      run: async ({ view, update }) => {
        view.get('thing')
        await gates[0]?.passed
        await update({ thing: { a: 'ann' } })
        gates[1]?.open()
      },
    })
    const bob = things.agent({
      reads: ['thing'],
      writes: ['thing'],
      run: async ({ view, update }) => {
        view.get('thing')
        gates[0]?.open()
        await gates[1]?.passed
        await update({ thing: { a: 'bob' } })
      },
    })
    const run = await runtime.start(together(things, { ann, bob }, { staysOpen: true }))
    await run.waitFor('thing', { since: 2 })
    const [conflict] = await run.conflicts()
    const decisions = await Promise.allSettled([
      run.resolveConflict(conflict!.id, { value: { a: 'one' } }),
      run.resolveConflict(conflict!.id, { value: { a: 'two' } }),
    ])
    expect(decisions.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect(run.get('thing')).toEqual({ a: 'one' })
    expect(await run.conflicts()).toHaveLength(1)
  })
})

describe('names', () => {
  it('of the language’s own properties are ordinary keys, and pollute nothing', async () => {
    const { runtime } = await createWorld()
    const open = defineContext({ '*': entry(z.unknown()) })
    const run = await runtime.start(idle(open))
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', 'then', 'length']
    for (const name of names) expect(run.get(name)).toBeUndefined()
    for (const name of names) {
      const changes = Object.create(null) as Record<string, unknown>
      Object.defineProperty(changes, name, { value: { [name]: `value of ${name}` }, enumerable: true })
      await run.update(changes)
    }
    for (const name of names) {
      const value = run.get(name) as object
      expect(Object.hasOwn(value, name)).toBe(true)
      expect(Object.getOwnPropertyDescriptor(value, name)?.value).toBe(`value of ${name}`)
    }
    expect(({} as Record<string, unknown>)['value of __proto__']).toBeUndefined()
    expect(Object.keys(Object.prototype)).toEqual([])
    expect(run.entries()).toHaveLength(names.length)
    const merged = JSON.parse('{"__proto__": {"polluted": true}}') as unknown
    await run.update({ constructor: merged })
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
    expect((await run.at(run.seq)).entries()).toEqual(run.entries())
  })

  it('of agents and runs may hold colons, slashes, spaces and any script', async () => {
    const { runtime } = await createWorld()
    const notes = defineContext({ 'notes: 日本/ü ': entry(z.string(), { scope: 'private' }) })
    const key = 'notes: 日本/ü '
    const writes = notes.agent({
      reads: ['*'],
      writes: ['*'],
      run: async ({ update, id, view }) => {
        await update({ [key]: id })
        expect(view.get(key)).toBe(id)
      },
    })
    const ids = ['a:b', 'a', 'a:b:', 'ü/../x', '日本', '__proto__', 'private:1:a']
    const workflow = notes.workflow({ agents: { 'wri:tes': writes } }).createMachine({
      type: 'parallel',
      states: Object.fromEntries(ids.map((id, index) => [`s${index}`, { invoke: { src: 'wri:tes' as const, id } }])),
    })
    const run = await runtime.start(workflow, { runId: 'run: 日本/..' })
    await new Promise((resolve) => setImmediate(resolve))
    expect(
      run
        .entries()
        .map(({ holder, value }) => [holder, value])
        .toSorted(),
    ).toEqual(ids.map((id) => [id, id]).toSorted())
    expect(runtime.get('run: 日本/..')).toBe(run)
  })

  it('that are no keys are refused', async () => {
    const { runtime } = await createWorld()
    const open = defineContext({ '*': entry(z.unknown()) })
    const run = await runtime.start(idle(open))
    for (const key of ['', '\ud800', 'x'.repeat(1025)])
      expect(await run.tryUpdate({ [key]: 1 })).toMatchObject({ kind: 'refused', reason: 'unknown-key' })
    expect(await run.tryUpdate({ ['x'.repeat(1024)]: 1 })).toMatchObject({ kind: 'accepted' })
  })
})

describe('a great many', () => {
  it('entries in one update are one commit, and read, wait and travel as well as few', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(board))
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_unused, index) => [`any.${index}`, index]))
    const waited = run.waitFor('any.9999')
    await run.update(many as never)
    expect(run.seq).toBe(2)
    expect(await waited).toBe(9999)
    expect(run.entries()).toHaveLength(10_000)
    await run.update({ 'any.5': 'changed', 'any.6': drop() } as never)
    expect((await run.diff(2, 3)).map(({ key, kind }) => [key, kind])).toEqual([
      ['any.5', 'changed'],
      ['any.6', 'removed'],
    ])
    expect((await run.at(2)).get('any.5')).toBe(5)
  })

  it('entries are limited, and the refusal says so', async () => {
    const { runtime } = await createWorld()
    const small = defineContext(
      { 'any.*': entry(z.unknown()) },
      { limits: { maxEntries: 3, maxKeysPerUpdate: 2, maxValueSize: 100 } },
    )
    const run = await runtime.start(idle(small))
    await run.update({ 'any.1': 1, 'any.2': 2 })
    expect(await run.tryUpdate({ 'any.3': 3, 'any.4': 4 })).toMatchObject({ kind: 'refused', reason: 'limit' })
    expect(await run.tryUpdate({ 'any.3': 3, 'any.4': 4, 'any.5': 5 })).toMatchObject({
      kind: 'refused',
      reason: 'limit',
    })
    expect(await run.tryUpdate({ 'any.3': 'x'.repeat(200) })).toMatchObject({ kind: 'refused', reason: 'limit' })
    expect(await run.tryUpdate({ 'any.3': 3, 'any.1': drop() })).toMatchObject({ kind: 'accepted' })
    expect(await run.tryUpdate({ 'any.1': put(1) })).toMatchObject({ kind: 'accepted' })
    expect(await run.tryUpdate({ 'any.9': 1 })).toMatchObject({ kind: 'refused' })
  })

  it('agents wait and write at once without one wait being lost', async () => {
    const { runtime } = await createWorld()
    const chain = defineContext({ 'link.*': entry(z.int()) })
    const length = 200
    const agents = Array.from(
      { length },
      (_unused, index) =>
        [
          `agent${index}`,
          chain.agent({
            reads: ['link.*'],
            writes: ['link.*'],
            run: async ({ waitFor, update }) => {
              const before = index === 0 ? 0 : await waitFor(`link.${index - 1}`)
              await update({ [`link.${index}`]: before + 1 })
            },
          }),
        ] as const,
    )
    const run = await runtime.start(together(chain, Object.fromEntries(agents.toReversed())))
    await run.done
    expect(run.get(`link.${length - 1}`)).toBe(length)
  })
})

it('a value that is changed while it is being written is stored as it was', async () => {
  const { runtime } = await createWorld()
  const open = defineContext({ list: entry(z.array(z.int())) })
  const run = await runtime.start(idle(open))
  const list = [1]
  const writing = run.update({ list })
  list.push(2)
  await writing
  expect(run.get('list')).toEqual([1])
})

it('a getter that throws refuses nobody else', async () => {
  const { runtime } = await createWorld()
  const open = defineContext({ any: entry(z.unknown()), note: entry(z.string()) })
  const run = await runtime.start(idle(open))
  const trap = {
    get boom() {
      throw new Error('trap')
    },
  }
  await expect(run.update({ any: trap })).rejects.toThrow('trap')
  await run.update({ note: 'fine' })
  expect(run.get('note')).toBe('fine')
})

it('a policy that throws refuses the update and leaves the entry as it was', async () => {
  const { runtime } = await createWorld()
  const open = defineContext({
    note: entry(z.string(), {
      merge: () => {
        throw new Error('no idea')
      },
    }),
  })
  const run: Run<unknown, { note: string }> = await runtime.start(idle(open))
  await run.update({ note: 'one' })
  expect(await run.tryUpdate({ note: 'two' })).toMatchObject({
    kind: 'refused',
    reason: 'policy-failed',
    message: 'outside may not write "note": policy merge failed: no idea',
  })
  expect(run.get('note')).toBe('one')
})
