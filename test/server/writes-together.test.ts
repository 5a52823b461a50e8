// Writes that arrive at the same time: stored, recorded and answered together, each on its own terms.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createVolatileStore } from 'callboard'
import { openBook } from 'callboard/server'
import { describe, expect, it, onTestFinished } from 'vitest'
import { SharedWrites } from '../../src/server/shared-writes.ts'
import { createServerWorld } from './world.ts'

const TOGETHER = 16
const numbers = Array.from({ length: TOGETHER }, (_, index) => index)

describe('writes that arrive together', () => {
  it('share transactions of the store, and are answered and recorded each', async () => {
    const store = createVolatileStore()
    const append = store.append.bind(store)
    const appends: number[] = []
    Object.assign(store, {
      append: (...[batches]: Parameters<typeof append>) => {
        appends.push(batches.flatMap(({ records }) => records).length)
        return append(batches)
      },
    })
    const { ask } = await createServerWorld({ store })
    await ask('POST', '/api/runs', { body: { workflow: 'desk', runId: 'r1' } })
    appends.length = 0
    const answers = await Promise.all(
      numbers.map((n) => ask('PUT', `/api/runs/r1/entries/any.${n}`, { body: { value: n } })),
    )
    expect(answers.map(({ body }) => body.versions)).toEqual(numbers.map((n) => ({ [`any.${n}`]: 1 })))
    expect(appends.reduce((sum, one) => sum + one, 0)).toBe(TOGETHER)
    expect(appends.length).toBeLessThanOrEqual(2)
    const { body } = await ask('GET', '/api/audit')
    const keys = body.items.slice(1).map(({ ids }: { ids: { key: string } }) => ids.key)
    expect(keys).toEqual(numbers.map((n) => `any.${n}`))
  })

  it('are refused each on its own terms', async () => {
    const { ask } = await createServerWorld()
    await ask('POST', '/api/runs', { body: { workflow: 'desk', runId: 'r1' } })
    const headers = { 'if-match': '"0"' }
    const answers = await Promise.all(
      numbers.map((n) => ask('PUT', '/api/runs/r1/entries/any.a', { body: { value: n }, headers })),
    )
    expect(answers.map(({ status }) => status)).toEqual(numbers.map((n) => (n === 0 ? 200 : 412)))
  })

  it('are not answered as done where their record cannot be kept', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'callboard-server-test-'))
    const file = join(folder, 'book.db')
    const book = openBook(file)
    onTestFinished(() => {
      book.close()
      rmSync(folder, { recursive: true })
    })
    const { ask } = await createServerWorld({ book })
    await ask('POST', '/api/runs', { body: { workflow: 'desk', runId: 'r1' } })
    const other = new DatabaseSync(file)
    other.exec('ALTER TABLE audit RENAME TO away')
    const put = (n: number): ReturnType<typeof ask> =>
      ask('PUT', `/api/runs/r1/entries/any.${n}`, { body: { value: n } })
    expect((await Promise.all(numbers.map(put))).map(({ status }) => status)).toEqual(numbers.map(() => 500))
    other.exec('ALTER TABLE away RENAME TO audit')
    other.close()
    expect((await put(0)).status).toBe(200)
  })
})

describe('shared writes', () => {
  function open(): { readonly db: DatabaseSync; readonly writes: SharedWrites } {
    const folder = mkdtempSync(join(tmpdir(), 'callboard-server-test-'))
    const db = new DatabaseSync(join(folder, 'a.db'))
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE log (n INTEGER PRIMARY KEY) STRICT')
    onTestFinished(() => {
      if (db.isOpen) db.close()
      rmSync(folder, { recursive: true })
    })
    return { db, writes: new SharedWrites(db) }
  }

  it('force to the disk what has to outlive a loss of power, and nothing else', async () => {
    const { db, writes } = open()
    const look = (): unknown => db.prepare('PRAGMA synchronous').get()?.['synchronous']
    expect(await writes.add(look, { forced: true })).toBe(2)
    expect(await writes.add(look)).toBe(1)
    expect(look()).toBe(1)
  })

  it('are told when the book is closed before it is their turn', async () => {
    const { db, writes } = open()
    const late = writes.add(() => {}, { forced: true })
    db.close()
    await expect(late).rejects.toThrow('not open')
  })

  it('fail alone where one throws, and together where the transaction fails', async () => {
    const { db, writes } = open()
    const insert = (n: number) => () => void db.prepare('INSERT INTO log VALUES (?)').run(n)
    const some = await Promise.allSettled([writes.add(insert(1)), writes.add(insert(1)), writes.add(insert(2))])
    expect(some.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    // As SQLite does where the disk is full.
    const fail = (): never => {
      db.exec('ROLLBACK')
      throw new Error('disk full')
    }
    const all = await Promise.allSettled([writes.add(insert(3)), writes.add(fail), writes.add(insert(4))])
    expect(all.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(db.prepare('SELECT n FROM log ORDER BY n').all()).toEqual([{ n: 1 }, { n: 2 }])
  })
})
