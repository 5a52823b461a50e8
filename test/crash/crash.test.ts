// Kills real processes and holds what they had said against what the ledger says in the end.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { ensureBuilt } from '../support/built-package.ts'
import { live, randomFrom } from './live.ts'
import type { Death } from './live.ts'

const POINTS = [
  'append:before',
  'append:after',
  'acknowledge:before',
  'acknowledge:after',
  'snapshot:before',
  'snapshot:after',
  'step:before',
  'step:after',
  'step:recorded',
  'effect:before',
  'effect:after',
  'deadline:before',
  'deadline:after',
] as const
/** How often each fault point is killed at, and how often at moments that nobody chose. */
const KILLS_EACH = 12
const RANDOM_KILLS = 60
const WRITERS = ['a', 'b', 'c']
const ROUNDS = 8
const TICKS = 6
const MOST_LIVES = 200

beforeAll(ensureBuilt)

/** One run over all its lives. */
interface Outcome {
  readonly kills: number
  readonly problems: readonly string[]
}

/** Lets a run live and die until it is done, and looks for what must not be. */
async function runThrough(deaths: readonly Death[], bug?: string): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'callboard-crash-'))
  const problems: string[] = []
  const acknowledged = new Set<string>()
  const finished = new Set<string>()
  let kills = 0
  let executed = 0
  try {
    for (let count = 0; count < MOST_LIVES; count++) {
      const { lines, errors, killed } = await live(
        ['test/crash/crash.child.ts', join(folder, 'run.db'), join(folder, 'effects')],
        deaths[count],
        bug,
      )
      if (errors !== '') problems.push(errors)
      if (killed) kills += 1
      const executions = effectsOf(folder)
      for (const item of executions.slice(executed)) {
        if (finished.has(item)) problems.push(`step ${item} was executed again after it had finished`)
      }
      executed = executions.length
      for (const line of lines) {
        const [word, rest = ''] = [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]
        if (word === 'step') finished.add(rest)
        else if (word === 'ack' && acknowledged.has(rest)) problems.push(`${rest} was acknowledged twice`)
        else if (word === 'ack') acknowledged.add(rest)
        else problems.push(...wrongIn(JSON.parse(rest) as Output, acknowledged))
      }
      if (errors !== '' || lines.at(-1)?.startsWith('done ') === true) return { kills, problems }
    }
    return { kills, problems: [...problems, `not done after ${MOST_LIVES} lives`] }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function effectsOf(folder: string): readonly string[] {
  try {
    return readFileSync(join(folder, 'effects'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '')
  } catch {
    return []
  }
}

interface Output {
  readonly items: readonly string[]
  readonly total: number
  readonly ticks: number
}

function wrongIn({ items, total, ticks }: Output, acknowledged: ReadonlySet<string>): readonly string[] {
  const all = WRITERS.flatMap((name) => Array.from({ length: ROUNDS }, (_, round) => `${name}-${round}`))
  return [
    ...[...acknowledged].filter((item) => !items.includes(item)).map((item) => `${item} was acknowledged and is lost`),
    ...all.filter((item) => items.filter((other) => other === item).length > 1).map((item) => `${item} is there twice`),
    ...all.filter((item) => !items.includes(item)).map((item) => `${item} is missing`),
    ...(total === all.length ? [] : [`the total is ${total}, not ${all.length}`]),
    ...(ticks === TICKS ? [] : [`there were ${ticks} ticks, not ${TICKS}`]),
  ]
}

let killed = 0

describe('a process that is killed loses nothing it had acknowledged', { timeout: 300_000 }, () => {
  it.each(POINTS)('at %s', async (point) => {
    const random = randomFrom(POINTS.indexOf(point) + 1)
    let kills = 0
    // A point may not be reached so often before the run is done: then another run goes on.
    for (let runs = 0; kills < KILLS_EACH && runs < KILLS_EACH; runs++) {
      const deaths = Array.from({ length: KILLS_EACH - kills }, () => ({
        fault: `${point}:${1 + Math.floor(random() * 5)}(kill)`,
      }))
      const outcome = await runThrough(deaths)
      expect(outcome.problems).toEqual([])
      kills += outcome.kills
    }
    expect(kills).toBeGreaterThanOrEqual(KILLS_EACH)
    killed += kills
  })

  it('at moments that nobody chose', async () => {
    const random = randomFrom(4_711)
    let kills = 0
    while (kills < RANDOM_KILLS) {
      const deaths = Array.from({ length: 15 }, () => ({ afterLines: 1 + Math.floor(random() * 6) }))
      const outcome = await runThrough(deaths)
      expect(outcome.problems).toEqual([])
      expect(outcome.kills).toBeGreaterThan(0)
      kills += outcome.kills
    }
    killed += kills
  })

  it('which was tried at least 200 times', () => {
    expect(killed).toBeGreaterThanOrEqual(200)
  })
})

describe('this test notices', { timeout: 120_000 }, () => {
  it.each([
    ['acknowledge-before-append', /acknowledged and is lost|executed again|acknowledged twice/],
    ['no-fsync', /acknowledged and is lost|executed again|acknowledged twice/],
    ['double-apply', /there twice|total/],
  ])('%s', async (bug, expected) => {
    const random = randomFrom(bug.length)
    const problems: string[] = []
    for (let runs = 0; runs < 5 && problems.length === 0; runs++) {
      const deaths = Array.from({ length: 6 }, () => ({ afterLines: 2 + Math.floor(random() * 6) }))
      problems.push(...(await runThrough(deaths, bug)).problems)
    }
    expect(problems.join('\n')).toMatch(expected)
  })
})
