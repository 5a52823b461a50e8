import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { createRuntime, createVolatileStore, defineContext, entry } from 'callboard'
import type { Store } from 'callboard'
import { openSqlite } from 'callboard/sqlite'
import { wrapStore } from '../store/wrapped.ts'
import { createTestClock } from '../support/clock.ts'
import { createGate, refusalOf } from './world.ts'

const board = defineContext({ text: entry(z.string()) })

/** A store that outlives its runtimes. */
async function openStore(): Promise<Store> {
  const folder = mkdtempSync(join(tmpdir(), 'callboard-closing-'))
  const store = await openSqlite(join(folder, 'runs.db'), { durability: 'process' })
  onTestFinished(async () => {
    await store.close()
    rmSync(folder, { recursive: true })
  })
  return store
}

/** An agent that works until it is stopped, once; `reasons` are told why it was. */
function slowly(reasons: unknown[], isSlow: () => boolean) {
  const worker = board.agent({
    writes: ['text'],
    run: async ({ signal, update }) => {
      if (isSlow()) {
        await new Promise((stopped) => signal.addEventListener('abort', stopped, { once: true }))
        reasons.push((signal.reason as { readonly code: string }).code)
      }
      await update({ text: 'written' })
    },
  })
  return board.workflow({ name: 'slow', agents: { worker } }).createMachine({
    initial: 'on',
    states: {
      on: { invoke: { src: 'worker', onDone: 'end', onError: 'lost' } },
      lost: { type: 'final' },
      end: { type: 'final' },
    },
    output: ({ context }) => context.board.get('text'),
  })
}

describe('closing a runtime', () => {
  it('leaves the runs on a durable store: another runtime goes on with them', async () => {
    const store = await openStore()
    const reasons: unknown[] = []
    let isSlow = true
    const workflow = slowly(reasons, () => isSlow)
    const first = await createRuntime({ store, clock: createTestClock() })
    const ends: unknown[] = []
    first.on('end', (end) => ends.push(end))
    const run = await first.start(workflow, { runId: 'r' })
    await createTestClock().settle()
    await first.close()
    await expect(run.done).rejects.toThrow(expect.objectContaining({ code: 'run.left' }))
    expect(run.status).toBe('active')
    expect({ reasons, ends }).toEqual({ reasons: ['run.left'], ends: [] })
    expect(await store.summary('r')).toMatchObject({ status: 'active', seq: 1 })
    isSlow = false
    const second = await createRuntime({ store, workflows: [workflow] })
    const { runs } = await second.recover()
    expect(await runs[0]?.done).toBe('written')
    await second.close()
  })

  it('leaves child runs with their parents', async () => {
    const store = await openStore()
    let isSlow = true
    const child = slowly([], () => isSlow)
    const parent = board.workflow({ name: 'parent', agents: { child } }).createMachine({
      initial: 'on',
      states: { on: { invoke: { src: 'child', onDone: 'end' } }, end: { type: 'final' } },
      output: 'the child is done',
    })
    const first = await createRuntime({ store })
    await first.start(parent, { runId: 'r' })
    await createTestClock().settle()
    await first.close()
    expect((await store.list()).map(({ status }) => status)).toEqual(['active', 'active'])
    isSlow = false
    const second = await createRuntime({ store, workflows: [parent] })
    const { runs } = await second.recover()
    expect(await runs[0]?.done).toBe('the child is done')
    await second.close()
  })

  it('while a child run begins is no failure of the child', async () => {
    const inner = createVolatileStore()
    const child = slowly([], () => true)
    const parent = board.workflow({ name: 'parent', agents: { child } }).createMachine({
      initial: 'off',
      states: { off: { on: { go: 'on' } }, on: { invoke: { src: 'child', onError: 'failed' } }, failed: {} },
    })
    const gates = { asked: createGate(), begins: createGate(), writes: createGate() }
    const store = wrapStore(inner, {
      summary: async (runId) => {
        if (runId === 'r') return inner.summary(runId)
        gates.asked.open()
        await gates.begins.passed
        return inner.summary(runId)
      },
      append: async (batches) => {
        if (batches[0]?.records[0]?.kind === 'update') await gates.writes.passed
        return inner.append(batches)
      },
    })
    const first = await createRuntime({ store })
    const run = await first.start(parent, { runId: 'r' })
    await run.send({ type: 'go' })
    await gates.asked.passed
    // The parent is at work until this is stored.
    const written = run.update({ text: 'by the way' })
    const closed = first.close({ runs: 'keep' })
    gates.begins.open()
    await createTestClock().settle()
    gates.writes.open()
    await Promise.all([written, closed])
    const second = await createRuntime({ store: inner, workflows: [parent] })
    expect((await second.open('r')).state).toBe('on')
    await createTestClock().settle()
    expect((await second.list()).map(({ status }) => status)).toEqual(['active', 'active'])
    await second.close()
  })

  it('starts no run any more that was asked for before', async () => {
    const inner = createVolatileStore()
    const asked = createGate()
    const store = wrapStore(inner, { summary: (runId) => asked.passed.then(() => inner.summary(runId)) })
    const runtime = await createRuntime({ store })
    const reasons: unknown[] = []
    const starting = runtime.start(slowly(reasons, () => true))
    const closed = runtime.close()
    asked.open()
    expect((await refusalOf(starting)).code).toBe('runtime.closed')
    await closed
    expect({ active: runtime.activeRuns, stored: await inner.list(), reasons }).toEqual({
      active: 0,
      stored: [],
      reasons: [],
    })
  })

  it('twice ends twice, when everything is stored', async () => {
    const inner = createVolatileStore()
    const writes = createGate()
    const store = wrapStore(inner, {
      append: async (batches) => {
        if (batches[0]?.records[0]?.kind === 'update') await writes.passed
        return inner.append(batches)
      },
    })
    const runtime = await createRuntime({ store })
    const run = await runtime.start(slowly([], () => true))
    const written = run.update({ text: 'to be stored' })
    const ended: number[] = []
    const closings = [1, 2].map((time) => runtime.close({ runs: 'keep' }).then(() => ended.push(time)))
    await createTestClock().settle()
    expect(ended).toEqual([])
    writes.open()
    await Promise.all([written, ...closings])
    expect(ended).toEqual([1, 2])
  })

  it('stops the runs on a store that forgets', async () => {
    const reasons: unknown[] = []
    const runtime = await createRuntime({ store: createVolatileStore() })
    const run = await runtime.start(slowly(reasons, () => true))
    await createTestClock().settle()
    await runtime.close()
    await expect(run.done).rejects.toThrow(expect.objectContaining({ code: 'run.stopped' }))
    expect(reasons).toEqual(['agent.stopped'])
  })
})

describe('labels', () => {
  it('are kept with the run, over restarts', async () => {
    const store = await openStore()
    const workflow = board.workflow({ name: 'idle' }).createMachine({ initial: 'on', states: { on: {} } })
    const labels = { module: 'a.ts', 'who "else"?': 'Ada' }
    const first = await createRuntime({ store })
    const run = await first.start(workflow, { runId: 'r', labels })
    labels.module = 'another.ts'
    expect(run.labels).toEqual({ module: 'a.ts', 'who "else"?': 'Ada' })
    await first.close()
    const second = await createRuntime({ store, workflows: [workflow] })
    const again = await second.open('r')
    await again.send({ type: 'nothing' })
    await again.snapshot('here')
    expect(again.labels).toEqual(run.labels)
    expect(await store.summary('r')).toMatchObject({ seq: 2, labels: run.labels })
    await second.close()
  })

  it.each([[{ a: 1 }], ['text'], [{ a: 'x'.repeat(1001) }], [['a']]])('are texts by name, not %j', async (labels) => {
    const workflow = board.workflow({ name: 'idle' }).createMachine({ initial: 'on', states: { on: {} } })
    const runtime = await createRuntime()
    expect(() => runtime.start(workflow, { labels: labels as never })).toThrow(
      expect.objectContaining({ code: 'run.labels' }),
    )
    await runtime.close()
  })
})
