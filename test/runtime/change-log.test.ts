import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, drop, entry, put } from 'callboard'
import { createWorld, idle } from './world.ts'

const board = defineContext({
  plan: entry(z.string().nullable()),
  title: entry(z.string(), { default: 'untitled' }),
  summary: entry(z.string(), { dependsOn: ['plan'] }),
  token: entry(z.string(), { sensitive: true }),
  scratch: entry(z.string(), { ephemeral: true }),
  goal: entry(z.string(), { protected: true }),
})

/** What stands in a line, without what is the same in all. */
const briefly = (lines: Awaited<ReturnType<Awaited<ReturnType<typeof start>>['run']['log']>>): readonly unknown[] =>
  lines.map(({ seq, by, operation, key, from, to, before, after }) => [
    seq,
    by,
    operation,
    key,
    from,
    to,
    before,
    after,
  ])

async function start() {
  const world = await createWorld()
  return { ...world, run: await world.runtime.start(idle(board)) }
}

describe('the change log', () => {
  it('says who changed what, from which version to which, when', async () => {
    const { run, clock } = await start()
    const startedAt = clock.now()
    await clock.advance(10)
    await run.update({ plan: 'one' }, { by: 'ann' })
    await run.update({ summary: 'of one' }, { by: 'bob' })
    await run.update({ plan: 'two', title: 'Plans' }, { by: 'ann' })
    await run.update({ plan: drop() }, { by: 'bob' })
    expect(briefly(await run.log())).toEqual([
      [1, 'outside', 'initialize', 'title', 0, 1, undefined, 'untitled'],
      [2, 'ann', 'set', 'plan', 0, 1, undefined, 'one'],
      [3, 'bob', 'set', 'summary', 0, 1, undefined, 'of one'],
      [4, 'ann', 'update', 'plan', 1, 2, 'one', 'two'],
      [4, 'ann', 'update', 'title', 1, 2, 'untitled', 'Plans'],
      [4, 'ann', 'stale', 'summary', 1, 1, 'of one', 'of one'],
      [5, 'bob', 'delete', 'plan', 2, 3, 'two', undefined],
    ])
    const [first, second] = await run.log()
    expect(first).toMatchObject({ at: startedAt, scope: 'workflow', holder: undefined, hadPrevious: false })
    expect(second).toMatchObject({ at: startedAt + 10 })
  })

  it('knows that something was there before, even if it was null', async () => {
    const { run } = await start()
    await run.update({ plan: null })
    await run.update({ plan: 'one' })
    await run.update({ plan: drop() })
    await run.update({ plan: 'again' })
    const lines = await run.log({ key: 'plan' })
    expect(lines.map(({ operation, hadPrevious, before }) => [operation, hadPrevious, before])).toEqual([
      ['set', false, undefined],
      ['update', true, null],
      ['delete', true, 'one'],
      ['set', false, undefined],
    ])
  })

  it('redacts what is sensitive, before and after, and has no value of what is ephemeral', async () => {
    const { run } = await start()
    await run.update({ token: 'hunter2', scratch: 'a thought' })
    await run.update({ token: 'hunter3', scratch: 'another' })
    const lines = await run.log({ afterSeq: 2 })
    expect(
      lines.map(({ key, before, after, sensitive, ephemeral }) => [key, before, after, sensitive, ephemeral]),
    ).toEqual([
      ['token', '[redacted: sensitive]', '[redacted: sensitive]', true, false],
      ['scratch', undefined, undefined, false, true],
    ])
    expect(JSON.stringify(await run.log())).not.toMatch(/hunter|thought|another/)
  })

  it('has what was refused, and why, snapshots, milestones and the end', async () => {
    const { run } = await start()
    await run.update({ goal: 'ship' })
    await run.tryUpdate({ goal: 'rest' }, { by: 'tom' })
    await run.snapshot('half way')
    await run.episode('first')
    await run.stop('enough')
    const lines = await run.log({ afterSeq: 2 })
    expect(lines.map(({ by, operation, key, detail }) => [by, operation, key, detail])).toEqual([
      ['tom', 'refuse', 'goal', expect.stringContaining('is protected')],
      ['outside', 'snapshot', undefined, 'half way'],
      ['outside', 'episode', undefined, 'first'],
      ['outside', 'end', undefined, 'enough'],
    ])
  })

  it('can be asked for one key, for what came after a record, and for so many lines', async () => {
    const { run } = await start()
    for (const plan of ['one', 'two', 'three', 'four']) await run.update({ plan, title: plan })
    const versions = async (options: Parameters<typeof run.log>[0]) => (await run.log(options)).map(({ to }) => to)
    expect(await versions({ key: 'plan' })).toEqual([1, 2, 3, 4])
    expect(await versions({ key: 'plan', limit: 2 })).toEqual([3, 4])
    expect(await versions({ key: 'plan', afterSeq: 2, limit: 2 })).toEqual([2, 3])
    expect(await versions({ key: 'plan', afterSeq: run.seq })).toEqual([])
    expect(await versions({ key: 'no such key' })).toEqual([])
    expect(await versions({ afterSeq: run.seq + 5 })).toEqual([])
  })

  it('keeps the entries of one key in different scopes apart', async () => {
    const { run } = await start()
    await run.update({ plan: 'for all' })
    await run.update({ plan: put('for tom', { scope: 'private', holder: 'tom' }) })
    const lines = await run.log({ key: 'plan' })
    expect(lines.map(({ scope, holder, from, to, before }) => [scope, holder, from, to, before])).toEqual([
      ['workflow', undefined, 0, 1, undefined],
      ['private', 'tom', 0, 1, undefined],
    ])
  })

  it('is all there after the run has ended, and reading it changes nothing', async () => {
    const { run } = await start()
    await run.update({ plan: 'one' })
    await run.stop()
    const lines = await run.log()
    expect(() => Object.assign(lines[0] as object, { by: 'nobody' })).toThrow(TypeError)
    expect(await run.log()).toEqual(lines)
    expect(run.seq).toBe(3)
  })
})
