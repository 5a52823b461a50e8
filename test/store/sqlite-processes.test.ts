import { expect, it } from 'vitest'
import { freshPath, openStore, runChild } from './world.ts'

const PROCESSES = 5
const ROUNDS = 60

it('lets exactly one of several processes win each seq; the others get a conflict and nothing else', async () => {
  const path = freshPath()
  const children = Array.from({ length: PROCESSES }, (_, index) =>
    runChild('race.child.ts', [path, `process-${index}`, String(ROUNDS)]),
  )
  for (const child of children) child.go()
  expect(await Promise.all(children.map(({ ended }) => ended))).toEqual(children.map(() => 0))
  const lines = children.flatMap((child, index) => child.lines.map((line) => `${line} process-${index}`))
  expect(lines.filter((line) => line.startsWith('error'))).toEqual([])
  const winners = new Map(
    lines.filter((line) => line.startsWith('won')).map((line) => [Number(line.split(' ')[1]), line.split(' ')[2]]),
  )
  expect(lines.filter((line) => line.startsWith('won'))).toHaveLength(ROUNDS)
  const store = await openStore(path)
  const records = await store.read('contested')
  expect(records.map(({ changes }) => changes[0]?.cell.entry.value)).toEqual(records.map(({ seq }) => winners.get(seq)))
  expect(records).toHaveLength(ROUNDS)
  expect((await store.verify()).damage).toEqual([])
})

it('keeps what several processes append to runs of their own at the same time', async () => {
  const path = freshPath()
  const children = ['a', 'b', 'c'].map((name) =>
    runChild('append-forever.child.ts', [path, '5', '40', 'process', name]),
  )
  expect(await Promise.all(children.map(({ ended }) => ended))).toEqual([0, 0, 0])
  const store = await openStore(path)
  const acknowledged = children.flatMap(({ lines }) => lines.filter((line) => line.includes(' ')))
  expect(acknowledged).toHaveLength(3 * 5 * 40)
  for (const { runId, seq } of await store.list()) {
    expect(acknowledged.filter((line) => line.startsWith(`${runId} `)).at(-1)).toBe(`${runId} ${seq}`)
    expect(await store.read(runId)).toHaveLength(seq)
  }
  expect((await store.verify()).damage).toEqual([])
})
