import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createMemory, openSqliteMemory } from 'callboard/memory'
import type { AgentMemory, MemoryStore } from 'callboard/memory'
import { openSqlite } from 'callboard/sqlite'
import { describe, expect, it, onTestFinished } from 'vitest'
import { freshFolder, runChild } from '../store/world.ts'
import { fact, remember, textsOf } from './world.ts'

const CHILD = '../memory/commit-forever.child.ts'

function freshPath(): string {
  return join(freshFolder(), 'memory.db')
}

async function open(path: string): Promise<MemoryStore> {
  const store = await openSqliteMemory(path, { durability: 'process', busyTimeoutMs: 2_000 })
  onTestFinished(() => store.close())
  return store
}

async function readerOf(path: string, runId = 'run'): Promise<AgentMemory> {
  return (await createMemory({ store: await open(path) })).for({ runId })
}

describe('a memory in a file', () => {
  it('is there after a restart: items, staged batches, and what can be taken back', async () => {
    const path = freshPath()
    const store = await openSqliteMemory(path)
    const before = (await createMemory({ store })).for({ runId: 'run' })
    const done = await before.propose([fact('Tea is at four')])
    await before.commit(done.id)
    const staged = await before.propose([fact('Coffee is at nine')])
    await store.close()
    const after = await readerOf(path)
    expect(await textsOf(after, 'tea')).toEqual(['Tea is at four'])
    expect(await after.commit(staged.id)).toMatchObject({ kind: 'committed', repeated: false })
    expect(await after.commit(done.id)).toMatchObject({ kind: 'committed', repeated: true })
    await after.revert(done.id)
    expect((await after.list()).map(({ text }) => text)).toEqual(['Coffee is at nine'])
  })

  it('is not opened without a path, nor in a file of something else', async () => {
    await expect(openSqliteMemory('')).rejects.toMatchObject({ code: 'memory.path' })
    await expect(openSqliteMemory(':memory:')).rejects.toMatchObject({ code: 'memory.path' })
    const folder = freshFolder()
    const runs = join(folder, 'runs.db')
    await (await openSqlite(runs)).close()
    await expect(openSqliteMemory(runs)).rejects.toMatchObject({ code: 'memory.format' })
    const text = join(folder, 'text.db')
    writeFileSync(text, 'this is no database, but long enough to be looked at as one by the library'.repeat(50))
    await expect(openSqliteMemory(text)).rejects.toMatchObject({ code: 'memory.unreadable' })
    await expect(openSqliteMemory(join(folder, 'none', 'memory.db'))).rejects.toMatchObject({
      code: 'memory.unreadable',
    })
  })

  it('of a later version is not touched', async () => {
    const path = freshPath()
    await (await openSqliteMemory(path)).close()
    const db = new DatabaseSync(path)
    db.exec('PRAGMA user_version = 99')
    db.close()
    await expect(openSqliteMemory(path)).rejects.toMatchObject({ code: 'memory.format', details: { format: 99 } })
  })

  it('says when another process holds it for too long, and has lost nothing', async () => {
    const path = freshPath()
    const store = await openSqliteMemory(path, { busyTimeoutMs: 1 })
    onTestFinished(() => store.close())
    const me = (await createMemory({ store })).for({ runId: 'run' })
    const batch = await me.propose([fact('Tea is at four')])
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    await expect(me.commit(batch.id)).rejects.toMatchObject({ code: 'memory.busy' })
    other.exec('ROLLBACK')
    other.close()
    expect(await me.commit(batch.id)).toMatchObject({ kind: 'committed', repeated: false })
  })

  it('says when there is no room, and stores nothing of the batch', async () => {
    const path = freshPath()
    const store = await open(path)
    const me = (await createMemory({ store })).for({ runId: 'run' })
    const batch = await me.propose(
      Array.from({ length: 50 }, (_, number) => fact(`item ${number} ${'x'.repeat(2_000)}`)),
    )
    await store.close()
    const db = new DatabaseSync(path)
    const pages = Number(Object.values(db.prepare('PRAGMA page_count').get() ?? {})[0])
    db.close()
    const tight = await openSqliteMemory(path, { maxPageCount: pages + 2 })
    onTestFinished(() => tight.close())
    const tightly = (await createMemory({ store: tight })).for({ runId: 'run' })
    await expect(tightly.commit(batch.id)).rejects.toMatchObject({ code: 'memory.full' })
    expect(await tightly.list()).toEqual([])
    await tight.close()
    expect(await (await readerOf(path)).commit(batch.id)).toMatchObject({ kind: 'committed', repeated: false })
  })
})

describe('several processes', () => {
  it('commit to one file at once without losing a batch', { timeout: 60_000 }, async () => {
    const path = freshPath()
    await (await open(path)).close()
    const children = ['first', 'second', 'third'].map((name) => runChild(CHILD, [path, name, '40']))
    expect(await Promise.all(children.map(({ ended }) => ended))).toEqual([0, 0, 0])
    const store = await open(path)
    expect(await store.list({ scopes: 'all' })).toHaveLength(3 * 40 * 3)
    expect((await store.state()).revision).toBe(3 * 40)
  })

  it.each([
    'memory:stage:before-commit:4',
    'memory:apply:after-batch:4',
    'memory:apply:after-item:11',
    'memory:apply:before-commit:4',
    'memory:apply:after:4',
  ])('one killed at %s leaves whole batches, and goes on where it was', { timeout: 60_000 }, async (point) => {
    const path = freshPath()
    const killed = runChild(CHILD, [path, 'run', '6'], { env: { CALLBOARD_FAULT: `${point}(kill)` } })
    expect(await killed.ended).toBe('SIGKILL')
    const acknowledged = killed.lines.map(Number)
    expect(acknowledged).toEqual([0, 1, 2])
    const found = (await (await open(path)).list({ scopes: 'all' })).map(({ text }) => text)
    expect(found).toEqual(
      Array.from({ length: found.length / 3 }, (_, number) =>
        ['a', 'b', 'c'].map((part) => `run ${number} ${part}`),
      ).flat(),
    )
    expect(found.length / 3).toBe(point.startsWith('memory:apply:after:') ? 4 : 3)
    const again = runChild(CHILD, [path, 'run', '6'])
    expect(await again.ended).toBe(0)
    expect((await (await readerOf(path)).list()).map(({ text }) => text)).toHaveLength(6 * 3)
  })
})

it('a memory of one process sees at once what another has learnt', async () => {
  const path = freshPath()
  const [here, there] = [await readerOf(path, 'here'), await readerOf(path, 'there')]
  await remember(here, fact('Tea is at four'))
  expect(await textsOf(there, 'tea')).toEqual(['Tea is at four'])
  await remember(there, fact('Tea is in the garden'))
  expect(await here.recall('tea', { mode: 'vector', threshold: 0.1 })).toHaveLength(2)
})
