// Kills real processes and holds what they had said against what the ledger says in the end.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { ensureBuilt, ROOT } from '../support/built-package.ts'

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

/** What a life of the child said before it ended, and whether it was killed. */
interface Life {
  readonly lines: readonly string[]
  readonly errors: string
  readonly killed: boolean
}

/** One run over all its lives. */
interface Outcome {
  readonly kills: number
  readonly problems: readonly string[]
}

/** How a life ends: at the count-th passing of a fault point, or when it has said so many lines. */
type Death = { readonly fault: string } | { readonly afterLines: number } | undefined

function live(folder: string, death: Death, bug: string | undefined): Promise<Life> {
  return new Promise((resolve) => {
    const child = spawn(
      process.execPath,
      ['test/crash/crash.child.ts', join(folder, 'run.db'), join(folder, 'effects')],
      {
        cwd: ROOT,
        env: {
          ...process.env,
          ...(death !== undefined && 'fault' in death ? { CALLBOARD_FAULT: death.fault } : {}),
          ...(bug === undefined ? {} : { CALLBOARD_BUG: bug }),
        },
      },
    )
    let out = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
      if (death !== undefined && 'afterLines' in death && out.split('\n').length > death.afterLines)
        child.kill('SIGKILL')
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
    child.on('close', (_code, signal) => {
      // A line that was cut off was not said.
      resolve({ lines: out.split('\n').slice(0, -1), errors, killed: signal === 'SIGKILL' })
    })
  })
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
      const { lines, errors, killed } = await live(folder, deaths[count], bug)
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

/** Numbers that look random and are the same each time (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
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
