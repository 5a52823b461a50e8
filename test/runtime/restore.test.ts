import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, drop, entry, put } from 'callboard'
import { createGate, createWorld, idle, refusalOf, together } from './world.ts'

const board = defineContext({
  plan: entry(z.string(), { outside: true }),
  budget: entry(z.int()),
  summary: entry(z.string(), { dependsOn: ['plan'] }),
  goal: entry(z.string(), { protected: true }),
  scratch: entry(z.string(), { ephemeral: true }),
  price: entry(z.int(), { ttlMs: 1000 }),
  rate: entry(z.int(), { scope: 'global' }),
  when: entry(z.object({ at: z.date() })),
})
type Values = Parameters<Awaited<ReturnType<typeof start>>['run']['update']>[0]

async function start() {
  const world = await createWorld()
  return { ...world, run: await world.runtime.start(idle(board)) }
}

describe('restoring', () => {
  it('puts entries back in one update: new versions of what is different, what was made since is gone, the rest untouched', async () => {
    const { run } = await start()
    await run.update({ plan: 'one', budget: 5, when: { at: new Date(0) } })
    await run.update({ plan: put('mine', { scope: 'private', holder: 'tom' }) })
    const then = await run.snapshot('before')
    await run.update({ plan: 'two', goal: 'since' })
    await run.update({ plan: drop(), summary: 'made since' })
    await run.update({ plan: put('mine too', { scope: 'private', holder: 'tom' }) })
    await run.update({ goal: drop() }, { override: true })
    const seq = run.seq
    const restored = await run.restore(then.id, { by: 'ada' })
    expect(run.seq).toBe(seq + 1)
    expect(
      run.entries().map(({ key, holder, value, version, updatedBy }) => [key, holder, value, version, updatedBy]),
    ).toEqual(
      expect.arrayContaining([
        ['plan', undefined, 'one', 4, 'ada'],
        ['plan', 'tom', 'mine', 3, 'ada'],
        ['budget', undefined, 5, 1, 'outside'],
        ['when', undefined, { at: new Date(0) }, 1, 'outside'],
      ]),
    )
    expect(run.entries()).toHaveLength(4)
    expect(restored).toEqual({
      seq: then.seq,
      changed: [
        { kind: 'restored', scope: 'private', holder: 'tom', key: 'plan', version: 3 },
        { kind: 'restored', scope: 'workflow', holder: undefined, key: 'plan', version: 4 },
        { kind: 'removed', scope: 'workflow', holder: undefined, key: 'summary', version: 2 },
      ],
      kept: [],
    })
    expect((await run.log({ afterSeq: seq })).map(({ operation, detail }) => [operation, detail])).toEqual(
      [1, 2, 3].map(() => ['restore', `as it was at ${then.seq}`]),
    )
  })

  it('to the newest snapshot needs one', async () => {
    const { run } = await start()
    const error = await run.restore().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'run.no-such-seq' })
    expect(String(error)).toContain('has no snapshot; name a point to go back to: its records are 1 to 1')
  })

  it('of what is as it was makes no record', async () => {
    const { run } = await start()
    await run.update({ plan: 'one' })
    const then = run.seq
    await run.update({ plan: 'two' })
    await run.update({ plan: 'one' })
    const seq = run.seq
    expect(await run.restore(then)).toEqual({ seq: then, changed: [], kept: [] })
    expect(run.seq).toBe(seq)
    expect(run.entry('plan')).toMatchObject({ version: 3 })
  })

  it('takes the newest snapshot unless it is told another point, and says so when there is none', async () => {
    const { run } = await start()
    await run.update({ plan: 'one' })
    expect(await refusalOf(run.restore())).toMatchObject({ code: 'run.no-such-seq' })
    await run.snapshot('same seq, first')
    await run.update({ plan: 'two' })
    await run.snapshot('then')
    await run.update({ plan: 'three' })
    await run.restore()
    expect(run.get('plan')).toBe('two')
    await run.restore(run.snapshots()[0])
    expect(run.get('plan')).toBe('one')
  })

  it('can be undone like any other change: the versions never go back', async () => {
    const { run } = await start()
    await run.update({ plan: 'one' })
    await run.update({ plan: 'two' })
    await run.restore(2)
    await run.restore(3)
    expect(run.entry('plan')).toMatchObject({ value: 'two', version: 4 })
    expect((await run.log({ key: 'plan' })).map(({ to }) => to)).toEqual([1, 2, 3, 4])
  })

  it('leaves what is protected as it is, and says so, unless it is told to override', async () => {
    const { run } = await start()
    await run.update({ plan: 'one' })
    const early = run.seq
    await run.update({ goal: 'ship', plan: 'two' })
    const then = run.seq
    await run.update({ goal: 'rest' }, { override: true })
    expect(await run.restore(then)).toEqual({
      seq: then,
      changed: [],
      kept: [{ scope: 'workflow', holder: undefined, key: 'goal' }],
    })
    expect(run.get('goal')).toBe('rest')
    expect((await run.restore(early)).kept).toHaveLength(1)
    expect([run.get('goal'), run.get('plan')]).toEqual(['rest', 'one'])
    await run.restore(then, { override: true })
    expect([run.get('goal'), run.get('plan')]).toEqual(['ship', 'two'])
  })

  it('never brings back what was ephemeral, and leaves alone what is', async () => {
    const { run } = await start()
    await run.update({ plan: 'one', scratch: 'then' })
    const then = run.seq
    await run.update({ plan: 'two', scratch: 'now' })
    await run.restore(then)
    expect([run.get('plan'), run.get('scratch')]).toEqual(['one', 'now'])
    await run.update({ scratch: drop() })
    await run.restore(then)
    expect(run.get('scratch')).toBeUndefined()
  })

  it('does not bring back what has expired meanwhile, nor touch global entries', async () => {
    const { run, clock } = await start()
    await run.update({ price: 12, rate: 3, plan: 'one' })
    const then = run.seq
    await clock.advance(1000)
    await run.update({ rate: 4, plan: 'two' })
    await run.restore(then)
    expect([run.get('price'), run.get('rate'), run.get('plan')]).toEqual([undefined, 4, 'one'])
  })

  it('gives back whether an entry was stale, too', async () => {
    const { run } = await start()
    await run.update({ plan: 'one', summary: 'of one' })
    const fresh = run.seq
    await run.update({ plan: 'two' })
    const stale = run.seq
    expect(run.entry('summary')?.stale).toBe(true)
    await run.restore(fresh)
    expect([run.get('plan'), run.entry('summary')?.stale]).toEqual(['one', false])
    await run.restore(stale)
    expect([run.get('plan'), run.entry('summary')?.stale]).toEqual(['two', true])
  })

  it('is an update like any other for agents at work: their waits are met, and they are told', async () => {
    const { runtime } = await createWorld()
    const gate = createGate()
    const told: string[] = []
    const reader = board.agent({
      reads: ['plan'],
      run: async ({ waitFor, on, view }) => {
        on('plan', ({ kind, version }) => told.push(`${kind} v${version}`))
        gate.open()
        await waitFor((seen) => seen.get('plan') === 'one' && seen.entry('plan')?.version === 3)
        return view.get('plan')
      },
    })
    const run = await runtime.start(together(board, { reader }))
    await gate.passed
    await run.update({ plan: 'one' } as Values)
    const then = run.seq
    await run.update({ plan: 'two' } as Values)
    await run.restore(then)
    await run.done
    expect(told).toEqual(['put v1', 'put v2', 'put v3'])
  })

  it('leaves the machine where it is, and an ended run as it is', async () => {
    const { runtime } = await createWorld()
    const doors = board
      .workflow()
      .createMachine({ initial: 'open', states: { open: { on: { shut: 'shut' } }, shut: {} } })
    const run = await runtime.start(doors)
    await run.update({ plan: 'one' })
    await run.send({ type: 'shut' })
    await run.update({ plan: 'two' })
    await run.restore(2)
    expect([run.state, run.get('plan')]).toEqual(['shut', 'one'])
    await run.stop()
    expect((await refusalOf(run.restore(1))).code).toBe('run.finished')
  })

  it('of more than the board may hold is refused as a whole', async () => {
    const { runtime } = await createWorld()
    const small = defineContext(
      { 'note.*': entry(z.int()), pin: entry(z.int(), { protected: true }) },
      { limits: { maxEntries: 2 } },
    )
    const run = await runtime.start(idle(small))
    await run.update({ 'note.a': 1, 'note.b': 2 })
    const then = run.seq
    await run.update({ 'note.a': drop(), 'note.b': drop() })
    await run.update({ pin: 1 })
    expect((await refusalOf(run.restore(then))).code).toBe('update.refused')
    expect(run.entries().map(({ key }) => key)).toEqual(['pin'])
  })
})
