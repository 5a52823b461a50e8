// Families of runs, three generations and most of them at rest, in a process that is killed again and again.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { openSqlite } from 'callboard/sqlite'
import { ensureBuilt } from '../support/built-package.ts'
import { live, randomFrom } from './live.ts'
import type { Death } from './live.ts'

const POINTS = [
  'rest:before',
  'rest:after',
  'wake:before',
  'wake:after',
  'append:after',
  'effect:before',
  'effect:after',
]
const FAMILIES = ['x', 'y', 'z']
const KILLS_EACH = 6
const MOST_LIVES = 100

beforeAll(ensureBuilt)

it.each([...POINTS, 'moments that nobody chose'])(
  'every answer is there once, and every run ends once, over kills at %s',
  async (point) => {
    const random = randomFrom(point.length)
    const folder = mkdtempSync(join(tmpdir(), 'callboard-families-'))
    const acknowledged: string[] = []
    const outputs = new Map<string, readonly string[]>()
    let kills = 0
    try {
      for (let lives = 0; outputs.size < FAMILIES.length && lives < MOST_LIVES; lives++) {
        const count = 1 + Math.floor(random() * 6)
        const last: Death = POINTS.includes(point) ? { fault: `${point}:${count}(kill)` } : { afterLines: count }
        const { lines, errors, killed } = await live(
          ['test/crash/family.child.ts', join(folder, 'runs.db')],
          kills < KILLS_EACH ? last : undefined,
        )
        expect(errors).toBe('')
        kills += Number(killed)
        for (const line of lines) {
          const [word = '', ...rest] = line.split(' ')
          if (word === 'ack') acknowledged.push(rest.join(' '))
          else outputs.set(...(JSON.parse(rest.join(' ')) as [string, readonly string[]]))
        }
      }
      expect(kills).toBeGreaterThan(0)
      expect(new Set(acknowledged).size).toBe(acknowledged.length)
      for (const family of FAMILIES) {
        const answers = ['left', 'right'].flatMap((office, index) =>
          ['one.1', 'two.2'].map((clerk) => `${family}.${office}.${index + 1}.${clerk} answered`),
        )
        const said = outputs.get(family) ?? []
        expect(said.toSorted()).toEqual(answers)
      }
      const store = await openSqlite(join(folder, 'runs.db'))
      const runs = await store.list()
      expect(runs.map(({ status }) => status)).toEqual(runs.map(() => 'done'))
      expect(runs).toHaveLength(FAMILIES.length * 7)
      expect((await store.verify()).damage).toEqual([])
      await store.close()
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
  120_000,
)
