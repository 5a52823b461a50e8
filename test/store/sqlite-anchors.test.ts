// Records of many runs lie among each other. Anchors say where some of a run's are; nobody has to believe them.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it, onTestFinished } from 'vitest'
import { openSqlite } from 'callboard/sqlite'
import { sampleBatch } from '../../src/testing/sample-records.ts'

const RUNS = 20
const RECORDS = 400
const WINDOWS = [
  [0, 1],
  [0, 5],
  [126, 3],
  [128, 1],
  [200, 40],
  [383, 10],
  [399, 1],
] as const

async function interleaved(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'callboard-anchors-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'runs.db')
  const store = await openSqlite(path, { durability: 'process' })
  for (let seq = 1; seq <= RECORDS; seq++) {
    await Promise.all(Array.from({ length: RUNS }, (_, run) => store.append([sampleBatch(`run-${run}`, seq, seq)])))
  }
  await store.close()
  return path
}

it.each([
  ['as they are', ''],
  ['that name the rows of another run', 'UPDATE anchors SET id = id + 1'],
  ['that all name the first row', 'UPDATE anchors SET id = 1'],
  ['that name rows that are not there', 'UPDATE anchors SET id = 1000000'],
  ['that name other records of their run', `UPDATE anchors SET id = max(1, id - ${RUNS * 3})`],
  ['that are gone', 'DELETE FROM anchors'],
])('a few records of a long run are the right ones, with anchors %s', async (_, change) => {
  const path = await interleaved()
  const db = new DatabaseSync(path)
  db.exec(change)
  expect(Number(db.prepare('SELECT count(*) AS count FROM anchors').get()?.['count']) > 0).toBe(
    !change.startsWith('DELETE'),
  )
  db.close()
  const store = await openSqlite(path)
  for (const run of ['run-0', `run-${RUNS - 1}`]) {
    for (const [afterSeq, limit] of WINDOWS) {
      const records = await store.read(run, { afterSeq, limit })
      expect(records.map(({ runId, seq }) => [runId, seq])).toEqual(
        Array.from({ length: limit }, (__, index) => [run, afterSeq + 1 + index]).filter(
          ([, seq]) => Number(seq) <= RECORDS,
        ),
      )
    }
  }
  expect((await store.verify()).damage).toEqual([])
  await store.close()
})
