// Ledgers leave a store as text and come back as they were, or not at all.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import {
  createRuntime,
  createVolatileStore,
  defineContext,
  drop,
  entry,
  exportLedger,
  importLedger,
  put,
} from 'callboard'
import type { LedgerRecord, Store } from 'callboard'
import { openSqlite } from 'callboard/sqlite'
import { ledgerToJsonl } from '../../src/ledger/index.ts'
import { plainData } from '../ledger/arbitrary.ts'
import { createTestClock } from '../support/clock.ts'

async function openFile(): Promise<Store> {
  const folder = mkdtempSync(join(tmpdir(), 'callboard-ledger-file-'))
  const store = await openSqlite(join(folder, 'runs.db'), { durability: 'process' })
  onTestFinished(async () => {
    await store.close()
    rmSync(folder, { recursive: true })
  })
  return store
}

const board = defineContext({
  'data.*': entry(z.unknown(), { merge: 'replace' }),
  count: entry(z.number(), { merge: 'counter', default: 0 }),
  list: entry(z.array(z.string()), { merge: 'reject' }),
  passing: entry(z.string(), { ephemeral: true }),
  mine: entry(z.string(), { scope: 'private' }),
})

const child = board.workflow({ name: 'child' }).createMachine({ initial: 'on', states: { on: { type: 'final' } } })
const agent = board.agent({
  reads: ['data.*', 'count'],
  writes: ['mine', 'passing', 'list'],
  run: async ({ step, update, tryUpdate, ask }) => {
    await update({ mine: await step('think', () => 'a thought'), passing: 'soon gone', list: ['a'] })
    await tryUpdate({ list: ['b'] }, { expectedVersion: { list: 7 } })
    await ask('data.answer', { question: 'what?' })
  },
})
const workflow = board.workflow({ name: 'odd "one"', version: '2', agents: { agent, child } }).createMachine({
  initial: 'on',
  states: {
    on: { invoke: [{ src: 'agent' }, { src: 'child' }], after: { 1000: 'late' }, on: { end: 'off' } },
    late: {},
    off: { type: 'final' },
  },
})

type Step =
  | readonly ['write', string, unknown]
  | readonly ['drop', string]
  | readonly ['count', number]
  | readonly ['later', number]

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    fc.tuple(fc.constant('write' as const), fc.constantFrom('data.a', 'data.b', 'data.__proto__'), plainData),
    fc.tuple(fc.constant('drop' as const), fc.constantFrom('data.a', 'data.b')),
    fc.tuple(fc.constant('count' as const), fc.integer()),
    fc.tuple(fc.constant('later' as const), fc.integer({ min: 1, max: 700 })),
  ),
  { maxLength: 12 },
)

/** A run in which these things happened, in a store of its own. */
async function makeRun(done: readonly Step[]): Promise<Store> {
  const clock = createTestClock()
  const store = createVolatileStore()
  const runtime = await createRuntime({ store, clock })
  const run = await runtime.start(workflow, { runId: 'run "1"\u2028', labels: { module: 'a.ts', 1: 'one' } })
  await clock.settle()
  for (const step of done) {
    if (step[0] === 'write') await run.update({ [step[1]]: put(step[2], { ttlMs: 500 }) } as never)
    else if (step[0] === 'drop') await run.update({ [step[1]]: drop() } as never)
    else if (step[0] === 'count') await run.update({ count: step[1] } as never)
    else await clock.advance(step[1])
  }
  await run.snapshot('here', { why: 'to see' })
  await run.stop('enough')
  return store
}

const RUN = 'run "1"\u2028'

describe('an exported ledger', () => {
  it('gives the same bytes when it is exported again from where it was imported, whatever is in it', async () => {
    const file = await openFile()
    await fc.assert(
      fc.asyncProperty(steps, async (done) => {
        const store = await makeRun(done)
        const text = await exportLedger(store, RUN)
        await file.remove(RUN)
        const summary = await importLedger(file, text)
        expect(await exportLedger(file, RUN)).toBe(text)
        expect(summary).toEqual(await store.summary(RUN))
        expect(await file.summary(RUN)).toEqual(summary)
      }),
      { numRuns: 40 },
    )
    expect((await file.verify()).damage).toEqual([])
  })

  it('is imported under another id too, and gone on with from there', async () => {
    const store = createVolatileStore()
    const clock = createTestClock()
    const before = await createRuntime({ store, clock })
    const run = await before.start(workflow, { runId: 'r' })
    await clock.settle()
    await run.update({ count: 3 })
    const text = await exportLedger(store, 'r')
    const file = await openFile()
    await importLedger(file, text, { runId: 'copy' })
    const runtime = await createRuntime({ store: file, workflows: [workflow], clock })
    const copy = await runtime.open('copy')
    expect([copy.get('count'), copy.state, copy.seq]).toEqual([3, 'on', run.seq])
    await copy.send({ type: 'end' })
    expect([copy.status, run.status]).toEqual(['done', 'active'])
    await runtime.close()
    await before.close()
  })

  it('is not imported over a run that is there', async () => {
    const store = await makeRun([])
    const text = await exportLedger(store, RUN)
    await expect(importLedger(store, text)).rejects.toThrow(expect.objectContaining({ code: 'store.conflict' }))
    expect(await exportLedger(store, RUN)).toBe(text)
  })

  it('is needed: an unknown run has none', async () => {
    await expect(exportLedger(createVolatileStore(), 'x')).rejects.toThrow(
      expect.objectContaining({ code: 'store.unknown-run' }),
    )
  })
})

describe('an imported ledger', () => {
  it('is that of a run that made room, too', async () => {
    const small = defineContext({ 'note.*': entry(z.string()) })
    const notes = small.workflow({ limits: { maxEntries: 2 } }).createMachine({ initial: 'on', states: { on: {} } })
    const store = createVolatileStore()
    const runtime = await createRuntime({ store })
    const run = await runtime.start(notes, { runId: 'notes' })
    for (const name of ['one', 'two', 'three']) await run.update({ [`note.${name}`]: name })
    expect((await run.ledger()).flatMap(({ changes }) => changes.map(({ kind }) => kind))).toContain('evict')
    const text = await exportLedger(store, 'notes')
    const copy = createVolatileStore()
    await importLedger(copy, text)
    expect(await exportLedger(copy, 'notes')).toBe(text)
    await runtime.close()
  })

  it('under another id has child runs, steps and questions of its own', async () => {
    const clock = createTestClock()
    const store = createVolatileStore()
    const runtime = await createRuntime({ store, clock })
    await runtime.start(workflow, { runId: 'first' })
    await clock.settle()
    await runtime.close({ runs: 'keep' })
    await importLedger(store, await exportLedger(store, 'first'), { runId: 'copy' })
    const names = JSON.stringify(await store.read('copy'))
    expect(JSON.stringify(await store.read('first'))).toContain('"first.agent.1/ask data.answer"')
    expect(names).toContain('"copy.agent.1/ask data.answer"')
    expect(names).not.toContain('"first')
  })
})

describe('a file that is not what was exported is refused, and leaves nothing', () => {
  const base: readonly Step[] = [
    ['write', 'data.a', { text: 'déjà "vu"', list: [1, null, true] }],
    ['write', 'data.a', new Map([[1n, new Date(5)]])],
    ['drop', 'data.a'],
    ['count', 4],
  ]

  it('whichever character of it was changed', async () => {
    const text = await exportLedger(await makeRun(base), RUN)
    const changed = fc.record({ at: fc.nat({ max: text.length - 1 }), by: fc.constantFrom(...'0a"{}[],:\\ \n\u0000é') })
    await fc.assert(
      fc.asyncProperty(changed, async ({ at, by }) => {
        fc.pre(text[at] !== by)
        const store = createVolatileStore()
        const broken = text.slice(0, at) + by + text.slice(at + 1)
        await expect(importLedger(store, broken)).rejects.toThrow(
          expect.objectContaining({ code: expect.stringMatching(/^ledger\./) as string }),
        )
        expect(await store.list()).toEqual([])
      }),
      { numRuns: 500 },
    )
  })

  it('wherever it was cut off', async () => {
    const text = await exportLedger(await makeRun(base), RUN)
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: text.length - 1 }), async (length) => {
        const store = createVolatileStore()
        await expect(importLedger(store, text.slice(0, length))).rejects.toThrow(
          expect.objectContaining({ code: expect.stringMatching(/^ledger\./) as string }),
        )
        expect(await store.list()).toEqual([])
      }),
      { numRuns: 200 },
    )
  })

  it('naming the line', async () => {
    const lines = (await exportLedger(await makeRun(base), RUN)).trimEnd().split('\n')
    const refusal = async (changed: readonly string[]): Promise<unknown> =>
      importLedger(createVolatileStore(), `${changed.join('\n')}\n`).catch((error: unknown) => error)
    expect(await refusal(lines.with(4, (lines[4] ?? '').replace('"author":"', '"author":"x')))).toMatchObject({
      code: 'ledger.refused',
      details: { line: 5 },
      message: expect.stringMatching(/^line 5: /) as string,
    })
    expect(await refusal(lines.with(6, 'nonsense'))).toMatchObject({ details: { line: 7 } })
    expect(await refusal(lines.toSpliced(3, 1))).toMatchObject({ details: { line: 4 } })
    expect(await refusal(lines.slice(0, -1))).toMatchObject({ details: { line: lines.length } })
    expect(await refusal([...lines, lines.at(-1) ?? ''])).toMatchObject({ details: { line: lines.length } })
    expect(await refusal(lines.with(0, (lines[0] ?? '').replace('odd', 'even')))).toMatchObject({
      details: { line: 1 },
    })
    expect(await refusal(['['.repeat(200_000)])).toMatchObject({ code: 'ledger.not-jsonl' })
    expect(await refusal(lines.with(5, `{"seq":5,"changes":${'['.repeat(200_000)}`))).toMatchObject({
      details: { line: 6 },
    })
  })

  const tampered: readonly [what: string, change: (record: LedgerRecord) => unknown][] = [
    ['an instant', (record) => ({ ...record, at: 'now' })],
    ['a version', (record) => withEntry(record, { version: 9 })],
    ['a negative version', (record) => withEntry(record, { version: -1 })],
    ['a key', (record) => withEntry(record, { key: '' })],
    ['a scope', (record) => withEntry(record, { scope: 'everywhere' })],
    ['a holder', (record) => withEntry(record, { holder: 'planner' })],
    ['a priority', (record) => withEntry(record, { priority: 'utmost' })],
    ['dependencies', (record) => withEntry(record, { dependsOn: [{}] })],
    ['metadata', (record) => withEntry(record, { metadata: 'none' })],
    ['a refusal', (record) => ({ ...record, refusals: [{ kind: 'refused', reason: 1, message: 2 }] })],
    [
      'a conflict',
      (record) => ({ ...record, conflicts: [{ id: 1, path: 'x', address: { scope: 'workflow', key: 'x' } }] }),
    ],
    ['a machine', (record) => ({ ...record, machine: { status: 'odd' } })],
    [
      'timers',
      (record) => ({
        ...record,
        machine: { status: 'active', value: 'on', persisted: {}, context: {}, timers: 5, invocations: 0 },
      }),
    ],
  ]

  it.each(tampered)('whoever made it: %s that no run writes, with every hash made anew', async (_what, change) => {
    const store = await makeRun(base)
    const records = await store.read(RUN)
    const index = records.findIndex(({ kind, changes }) => kind === 'update' && changes[0]?.scope === 'workflow')
    const run = { workflow: 'w', version: '1', createdAt: 0 }
    const text = ledgerToJsonl(RUN, records.with(index, change(records[index] as LedgerRecord) as LedgerRecord), {
      run,
    })
    const target = createVolatileStore()
    await expect(importLedger(target, text)).rejects.toThrow(
      expect.objectContaining({ code: 'ledger.refused', details: { runId: RUN, line: index + 2 } }),
    )
    expect(await target.list()).toEqual([])
    // The same way with nothing changed is taken: it was the change.
    await importLedger(target, ledgerToJsonl(RUN, records, { run }))
  })
})

function withEntry(record: LedgerRecord, entryChange: object): unknown {
  const [first, ...rest] = record.changes
  if (first === undefined) throw new TypeError('there is no change')
  const { cell } = first
  const changed = { ...cell, entry: { ...cell.entry, ...entryChange } }
  return { ...record, changes: [{ ...first, ...entryChange, cell: changed }, ...rest] }
}
