// `npm start`, interrupted, and `callboard resume`, as their users run them: real processes, really killed.
import { readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { LedgerRecord } from 'callboard'
import { openSqlite } from 'callboard/sqlite'
import { start } from '../../cli/world.ts'
import type { Ended, Running } from '../../cli/world.ts'
import { ensureBuilt } from '../../support/built-package.ts'
import { shop } from './shop.ts'
import { checkout, hashOf, makeFolder, makeProject, tsc } from './world.ts'

beforeAll(ensureBuilt)

interface World {
  readonly cwd: string
  readonly root: string
  readonly copies: string
  /** The project's compiler begins when this file is there: what is to be interrupted has not ended before. */
  readonly gate: string
}

function makeWorld(): World {
  const gate = join(makeFolder(), 'open')
  const root = makeProject({
    ...shop,
    'node_modules/package.json': '{"type":"commonjs"}',
    'node_modules/typescript/bin/tsc': `
      const { spawnSync } = require('node:child_process')
      const { existsSync } = require('node:fs')
      const args = [${JSON.stringify(tsc)}, ...process.argv.slice(2)]
      const waiting = setInterval(() => {
        if (!existsSync(${JSON.stringify(gate)})) return
        clearInterval(waiting)
        process.exitCode = spawnSync(process.execPath, args, { stdio: 'inherit' }).status
      }, 10)`,
  })
  symlinkSync(join(checkout, 'node_modules/@types'), join(root, 'node_modules/@types'))
  return { cwd: makeFolder(), root, copies: makeFolder(), gate }
}

const open = ({ gate }: World): void => writeFileSync(gate, '')

const npmStart = ({ cwd, root, copies }: World): Running =>
  start('machines/evolution/main.ts', [root], { cwd, env: { TMPDIR: copies } })

function resume(world: World): Promise<Ended> {
  open(world)
  return start('dist/cli/main.js', ['resume'], { cwd: world.cwd, env: { TMPDIR: world.copies } }).ended
}

/** Starts, and kills as soon as this text is shown. */
async function killAt(world: World, text: string, signal: 'SIGKILL' | 'SIGINT' = 'SIGKILL'): Promise<void> {
  const running = npmStart(world)
  await running.seen(text)
  running.child.kill(signal)
  await running.ended
}

async function ledgerIn({ cwd }: World): Promise<readonly LedgerRecord[]> {
  const store = await openSqlite(join(cwd, '.callboard/callboard.db'))
  try {
    const [run] = await store.list()
    return await store.read(run?.runId ?? '')
  } finally {
    await store.close()
  }
}

interface StepLine {
  readonly step: string
  readonly phase: string
}

/** How often each step was begun and finished. */
function stepsOf(
  records: readonly LedgerRecord[],
): Readonly<Record<string, readonly [begun: number, finished: number]>> {
  const lines = records.filter(({ kind }) => kind === 'step').map(({ asked }) => asked as StepLine)
  const count = (name: string, wanted: string): number =>
    lines.filter(({ step, phase }) => step === name && phase === wanted).length
  const names = [...new Set(lines.map(({ step }) => step))]
  return Object.fromEntries(names.map((name) => [name, [count(name, 'begun'), count(name, 'finished')]]))
}

const patchIn = ({ cwd }: World): string => {
  const folder = readdirSync(join(cwd, 'callboard-out')).find((name) => name.startsWith('run_')) ?? ''
  return readFileSync(join(cwd, 'callboard-out', folder, 'changes.patch'), 'utf8')
}

const ONCE = [1, 1] as const

describe('npm start, killed with -9 in the middle and started again with callboard resume', () => {
  let patch: string

  beforeAll(async () => {
    const world = makeWorld()
    open(world)
    await npmStart(world).ended
    patch = patchIn(world)
  })

  it.each([
    'phase research',
    'wrote sources',
    'wrote analysis.original',
    'wrote plan.improvement',
    'implementer began',
    'implementer 2/2 asks the compiler',
  ])('at "%s": finishes with the same patch, repeats no finished step, and leaves no copy', async (text) => {
    const world = makeWorld()
    const before = hashOf(world.root)
    await killAt(world, text)
    const finishedBefore = stepsOf(await ledgerIn(world))
    const { code, stdout, stderr } = await resume(world)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(patch).toContain('catch (error: unknown)')
    expect(stdout).toMatch(/evolution goes on as run_\w+ in phase /)
    expect(stdout).toMatch(/\nsuccess: the goals are reached to 100 % on average\n/)
    expect(patchIn(world)).toBe(patch)
    const records = await ledgerIn(world)
    const steps = stepsOf(records)
    expect(Object.keys(steps)).toEqual(['copy', 'implement', 'measure', 'compare'])
    for (const [name, [begun, finished]] of Object.entries(steps)) {
      expect([name, finished]).toEqual([name, 1])
      if (finishedBefore[name]?.[1] === 1) expect([name, begun]).toEqual([name, finishedBefore[name][0]])
    }
    // Every section was written once: what an agent had found out was not found out again.
    const sections = records.flatMap(({ changes }) => changes).filter(({ cell }) => cell.entry.protected)
    expect(sections.map(({ cell }) => cell.entry.version)).toEqual(sections.map(() => 1))
    expect(readdirSync(world.copies)).toEqual([])
    expect(hashOf(world.root)).toBe(before)
  })

  it('goes on with the same copy where only the compiler was left', async () => {
    const world = makeWorld()
    await killAt(world, 'implementer 2/2 asks the compiler')
    const copies = readdirSync(world.copies)
    expect(copies).toHaveLength(1)
    expect((await resume(world)).code).toBe(0)
    expect(stepsOf(await ledgerIn(world))).toEqual({
      copy: ONCE,
      implement: [2, 1],
      measure: ONCE,
      compare: ONCE,
    })
  })

  it('makes another copy where the first has gone with the temporary files', async () => {
    const world = makeWorld()
    await killAt(world, 'implementer 2/2 asks the compiler')
    for (const name of readdirSync(world.copies)) rmSync(join(world.copies, name), { recursive: true })
    expect((await resume(world)).code).toBe(0)
    expect(patchIn(world)).toBe(patch)
    expect(stepsOf(await ledgerIn(world))).toMatchObject({ copy: ONCE, 'copy 2': ONCE, 'implement 2': ONCE })
    expect(readdirSync(world.copies)).toEqual([])
  })

  it('the same after Ctrl-C', async () => {
    const world = makeWorld()
    await killAt(world, 'implementer 2/2 asks the compiler', 'SIGINT')
    expect((await resume(world)).code).toBe(0)
    expect(patchIn(world)).toBe(patch)
    expect(stepsOf(await ledgerIn(world))).toMatchObject({ copy: ONCE, implement: [2, 1] })
  })

  it('is not begun again once it is done', async () => {
    const world = makeWorld()
    open(world)
    await npmStart(world).ended
    const { code, stdout, stderr } = await resume(world)
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: '',
      stderr: 'no run in .callboard/callboard.db waits to be gone on with\n',
    })
  })
})
