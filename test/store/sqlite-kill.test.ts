import { expect, it } from 'vitest'
import { freshPath, openStore, runChild } from './world.ts'

const KILLS = Number(process.env['CALLBOARD_KILLS'] ?? 64)
const SEED = Number(process.env['CALLBOARD_SEED'] ?? 20_260_101)
/** Files that are killed one after the other, each going on with what the last left. */
const FILES = 8
const RUNS = 4

/** A small generator whose choices can be repeated (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The acknowledged seqs of each run. */
function acknowledgedBy(lines: readonly string[]): Map<string, readonly number[]> {
  const byRun = new Map<string, readonly number[]>()
  for (const line of lines) {
    const [runId = '', seq] = line.split(' ')
    if (seq !== undefined) byRun.set(runId, [...(byRun.get(runId) ?? []), Number(seq)])
  }
  return byRun
}

const POINTS = ['append:before', 'append:after', 'snapshot:before', 'snapshot:after', undefined]

it(
  `has every acknowledged append once and in order after ${KILLS} kills at any moment`,
  { timeout: 240_000 },
  async () => {
    const random = seeded(SEED)
    let kills = 0
    const survive = async (path: string, durability: string): Promise<void> => {
      const last = new Map<string, number>()
      for (let round = 0; round < KILLS / FILES; round++) {
        const point = POINTS[Math.floor(random() * POINTS.length)]
        const count =
          point?.startsWith('snapshot') === true ? 1 + Math.floor(random() * 3) : 1 + Math.floor(random() * 40)
        const env: Record<string, string> = point === undefined ? {} : { CALLBOARD_FAULT: `${point}:${count}(kill)` }
        const child = runChild('append-forever.child.ts', [path, String(RUNS), '1000000', durability], { env })
        await child.wrote(2 + Math.floor(random() * 120))
        if (point === undefined) child.kill()
        else await child.wrote(Number.POSITIVE_INFINITY)
        expect(await child.ended, `seed ${SEED}, round ${round}`).toBe('SIGKILL')
        kills += 1
        for (const [runId, seqs] of acknowledgedBy(child.lines)) last.set(runId, seqs.at(-1) ?? 0)
        const store = await openStore(path)
        expect((await store.verify()).damage, `seed ${SEED}, round ${round}`).toEqual([])
        for (const [runId, acknowledged] of last) {
          const records = await store.read(runId)
          expect(records.length, `seed ${SEED}, ${runId}`).toBeGreaterThanOrEqual(acknowledged)
          // What was not acknowledged is there as a whole or not at all: one append of up to three records.
          expect(records.length - acknowledged, `seed ${SEED}, ${runId}`).toBeLessThanOrEqual(3)
          expect(records.map(({ seq }) => seq)).toEqual(records.map((_, index) => index + 1))
          expect(records.map(({ asked }) => (asked as { update: string }).update)).toEqual(
            records.map(({ seq }) => `u${seq}`),
          )
          last.set(runId, records.length)
        }
        await store.close()
      }
    }
    const files = Array.from({ length: FILES }, () => freshPath())
    for (let index = 0; index < FILES; index += 2) {
      await Promise.all(files.slice(index, index + 2).map((path, odd) => survive(path, odd === 0 ? 'full' : 'process')))
    }
    expect(kills).toBeGreaterThanOrEqual(60)
  },
)
