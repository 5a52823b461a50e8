import { expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, entry } from 'callboard'
import { createWorld, idle, together } from './world.ts'

const board = defineContext({
  note: entry(z.string()),
  password: entry(z.string(), { sensitive: true }),
  total: entry(z.int(), { merge: 'counter', default: 0 }),
})

/** What an inspector could write to a log of everything it is handed. */
function logged(events: readonly unknown[]): string {
  const seen = new WeakSet<object>()
  return JSON.stringify(events, (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? String(value) : value
    if (seen.has(value)) return undefined
    seen.add(value)
    return value
  })
}

it('an inspector sees the events and snapshots of every run', async () => {
  const events: { readonly type: string; readonly event?: { readonly type: string } }[] = []
  const { runtime } = await createWorld({ inspect: (event) => events.push(event as never) })
  const run = await runtime.start(idle(board))
  await run.update({ note: 'x' })
  await run.send({ type: 'stop' })
  expect(new Set(events.map(({ type }) => type))).toContain('@xstate.snapshot')
  expect(events.flatMap(({ event }) => (event === undefined ? [] : [event.type]))).toEqual(
    expect.arrayContaining(['callboard.update', 'stop']),
  )
})

it('an inspector that throws harms nothing, and its failure is told', async () => {
  const failures: string[] = []
  const { runtime } = await createWorld({
    inspect: () => {
      throw new Error('broken inspector')
    },
  })
  runtime.on('failure', ({ topic, error }) => failures.push(`${topic}: ${(error as Error).message}`))
  const works = board.agent({ writes: ['note'], run: async ({ update }) => void (await update({ note: 'x' })) })
  const run = await runtime.start(together(board, { works }))
  await run.done
  expect(run.get('note')).toBe('x')
  expect(failures.length).toBeGreaterThan(0)
  expect(new Set(failures)).toEqual(new Set(['inspect: broken inspector']))
})

it('an inspector that logs everything never logs a sensitive value, nor any other value of the board', async () => {
  const events: unknown[] = []
  const { runtime } = await createWorld({ inspect: (event) => events.push(event) })
  const run = await runtime.start(idle(board))
  await run.update({ password: 'hunter2-hunter2', note: 'an ordinary note' })
  await run.tryUpdate({ password: 'hunter2-hunter2', total: 0.5 })
  await run.send({ type: 'stop' })
  const log = logged(events)
  expect(log).toContain('callboard.update')
  expect(log).toContain('password')
  expect(log).not.toContain('hunter2')
  expect(log).not.toContain('an ordinary note')
})

it('a run does the same with and without an inspector', async () => {
  const ledgers: unknown[] = []
  for (const inspect of [undefined, () => {}]) {
    const { runtime } = await createWorld(inspect === undefined ? {} : { inspect })
    const adds = board.agent({
      reads: ['total'],
      writes: ['total', 'note'],
      run: async ({ update, view }) => {
        await update({ total: 2 })
        await update({ note: `total ${view.get('total')}`, total: 1 })
      },
    })
    const workflow = board.workflow({ agents: { adds } }).createMachine({
      initial: 'adding',
      states: {
        adding: {
          invoke: { src: 'adds' },
          always: { guard: board.when('total', (total) => total >= 3), target: 'end' },
        },
        end: { type: 'final' },
      },
    })
    const run = await runtime.start(workflow, { runId: 'same' })
    await run.done
    ledgers.push((await run.ledger()).map(({ seq, kind, author, changes }) => [seq, kind, author, changes]))
  }
  expect(ledgers[1]).toEqual(ledgers[0])
})
