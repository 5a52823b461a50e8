import { createRuntime } from 'callboard'
import type { Run, Runtime } from 'callboard'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createEvolution, evolution } from '../../machines/evolution.ts'
import {
  compareEvolution,
  exportEvolution,
  importEvolution,
  readEvolution,
  summariseEvolutions,
} from '../../machines/evolution/index.ts'
import type { Focus } from '../../machines/evolution/index.ts'
import { workflowOf } from '../../src/workflow/index.ts'
import { shop } from './evolution/shop.ts'
import { hashOf, makeFolder, makeProject, now } from './evolution/world.ts'

/** Gives a function that lists the working copies of this test. */
function watchCopies(): () => string[] {
  const folder = makeFolder()
  vi.stubEnv('TMPDIR', folder)
  onTestFinished(() => void vi.unstubAllEnvs())
  return () => readdirSync(folder).filter((name) => name.startsWith('callboard-evolution-'))
}

async function makeRuntime(): Promise<Runtime> {
  const runtime = await createRuntime()
  onTestFinished(() => runtime.close())
  return runtime
}

const begin = (runtime: Runtime, path: string, more: { focus?: Focus[]; approve?: boolean } = {}) =>
  runtime.start(createEvolution({ now }), { input: { path, ...more } })

/** What every record of a run wrote under a key, oldest first. */
async function historyOf(run: Pick<Run, 'ledger'>, key: string): Promise<unknown[]> {
  const records = await run.ledger()
  return records
    .flatMap(({ changes }) => changes.filter((change) => change.key === key))
    .map(({ cell }) => cell.entry.value)
}

/** Calls back in the middle of the run, when the step of this name has been recorded as finished. */
function onStep(runtime: Runtime, name: string, act: () => void): void {
  runtime.on('record', ({ record }) => {
    const { step, phase } = record.asked as { readonly step?: string; readonly phase?: string }
    if (record.kind === 'step' && step === name && phase === 'finished') act()
  })
}

const justFine = {
  'src/fine.ts': '/** Adds. */\nexport function add(a: number, b: number): number {\n  return a + b\n}\n',
}

describe('the evolution workflow', () => {
  it('improves a project over one board and says how far it got', async () => {
    const root = makeProject(shop)
    const run = await begin(await makeRuntime(), root)
    const output = await run.done
    expect(output).toEqual({
      evolutionId: run.id,
      verdict: 'success',
      reason: 'the goals are reached to 100 % on average',
      error: null,
      successRate: 1,
      deltas: expect.objectContaining({ unusedImports: -3, explicitAny: -1, documentationRatio: 0.875 }) as object,
      root,
      paths: ['src/currency.ts', 'src/price.ts'],
    })
    expect(run.get('implementation.patch')).toMatch(/^diff --git a\/src\/currency\.ts b\/src\/currency\.ts\n/)
  })

  it('goes through its phases in order and writes each one down', async () => {
    const run = await begin(await makeRuntime(), makeProject(shop))
    await run.done
    const metas = (await historyOf(run, 'meta')) as { status: string; currentPhase: string }[]
    expect(metas.map(({ status, currentPhase }) => [status, currentPhase])).toEqual([
      ['initialized', 'initialization'],
      ['running_research', 'research'],
      ['running_planning', 'planning'],
      ['running_implementation', 'implementation'],
      ['running_evaluation', 'evaluation'],
      ['completed', 'evaluation'],
    ])
  })

  it('has analyst and researcher work at the same time while planner waits for both', async () => {
    const runtime = await makeRuntime()
    const told: string[] = []
    runtime.on('agent', ({ agent, status }) => void told.push(`${agent} ${status}`))
    const run = await begin(runtime, makeProject(shop))
    await run.done
    const before = (one: string, other: string) => told.indexOf(one) >= 0 && told.indexOf(one) < told.indexOf(other)
    for (const agent of ['analyst', 'researcher', 'planner']) {
      expect(before(`${agent} running`, 'analyst finished')).toBe(true)
      expect(before(`${agent} running`, 'researcher finished')).toBe(true)
    }
    const writers = (await run.ledger()).filter(({ kind }) => kind === 'update').map(({ author }) => author)
    expect(writers.slice(1, 3).sort()).toEqual(['analyst', 'researcher'])
    expect(writers[3]).toBe('planner')
  })

  it('gives each agent what it needs, what it has written itself, and no more', () => {
    const rights = [...(workflowOf(evolution)?.agents ?? [])].map(([name, { reads, writes }]) => [name, reads, writes])
    expect(rights).toEqual([
      ['scout', ['sources'], ['sources']],
      ['analyst', ['sources', 'analysis.original'], ['analysis.original']],
      ['researcher', ['sources', 'research.external'], ['research.external']],
      ['planner', ['meta', 'analysis.original', 'research.external', 'plan.improvement'], ['plan.improvement']],
      ['person', ['approval'], []],
      [
        'implementer',
        ['sources', 'research.external', 'plan.improvement', 'wording.texts', 'implementation.log'],
        ['implementation.*', 'state.current'],
      ],
      [
        'evaluator',
        ['analysis.original', 'plan.improvement', 'implementation.log', 'state.current', 'evaluation.results'],
        ['evaluation.results'],
      ],
      ['collector', ['sources', 'plan.improvement', 'wording.names'], ['wording.names']],
      [
        'writer',
        ['plan.improvement', 'research.external', 'wording.names', 'wording.usage'],
        ['wording.texts', 'wording.usage'],
      ],
    ])
  })

  it('protects what a phase has found', async () => {
    const run = await begin(await makeRuntime(), makeProject(shop))
    await run.done
    expect(run.entry('analysis.original')).toMatchObject({
      protected: true,
      owner: 'analyst',
      version: 1,
      stale: false,
    })
    expect(run.entry('plan.improvement')?.dependsOn).toEqual(['analysis.original', 'research.external'])
  })

  it('keeps to the focus', async () => {
    const run = await begin(await makeRuntime(), makeProject(shop), { focus: ['unused'] })
    await run.done
    const { implementationLog, focusAreas } = readEvolution(run)
    expect(focusAreas).toEqual(['unused'])
    expect(new Set(implementationLog?.changes.map(({ edit }) => edit))).toEqual(new Set(['remove-imports']))
  })

  it('changes nothing in the project and leaves no copy behind', async () => {
    const copies = watchCopies()
    const root = makeProject(shop)
    const before = hashOf(root)
    await (
      await begin(await makeRuntime(), root)
    ).done
    expect(hashOf(root)).toBe(before)
    expect(copies()).toEqual([])
  })

  it('runs several evolutions in one runtime without mixing them up', async () => {
    const runtime = await makeRuntime()
    const [one, other] = [makeProject(shop), makeProject(justFine)]
    const runs = await Promise.all([begin(runtime, one), begin(runtime, other)])
    const [first, second] = await Promise.all(runs.map(({ done }) => done))
    expect([first?.root, first?.paths.length]).toEqual([one, 2])
    expect([second?.root, second?.paths]).toEqual([other, []])
  })

  it('finds a project with nothing to improve a success', async () => {
    const output = await (await begin(await makeRuntime(), makeProject(justFine), { focus: ['types'] })).done
    expect(output).toMatchObject({ verdict: 'success', reason: 'there was nothing to improve', deltas: {}, paths: [] })
  })
})

describe('approval', () => {
  it('asks before anything is implemented and goes on after a yes', async () => {
    const runtime = await makeRuntime()
    const asked = new Promise<string>((resolve) => {
      runtime.on('request', ({ request }) => resolve(request.id))
    })
    const run = await begin(runtime, makeProject(shop), { approve: true })
    const id = await asked
    expect(run.requests()).toMatchObject([
      { question: expect.stringMatching(/^carry out \d+ automatic tasks/) as string },
    ])
    expect(run.get('implementation.log')).toBeUndefined()
    await run.answer(id, 'yes')
    expect(await run.done).toMatchObject({ verdict: 'success' })
  })

  it('ends with the verdict declined after a no', async () => {
    const copies = watchCopies()
    const runtime = await makeRuntime()
    runtime.on('request', ({ runId, request }) => void runtime.get(runId)?.answer(request.id, 'no'))
    const run = await begin(runtime, makeProject(shop), { approve: true })
    expect(await run.done).toMatchObject({ verdict: 'declined', successRate: null, paths: [] })
    expect(readEvolution(run)).toMatchObject({ status: 'declined', implementationLog: null })
    expect(copies()).toEqual([])
  })

  it('asks nobody where there is nothing to decide', async () => {
    const run = await begin(await makeRuntime(), makeProject(justFine), { approve: true, focus: ['types'] })
    expect(await run.done).toMatchObject({ verdict: 'success' })
  })
})

describe('when an agent fails', () => {
  it('ends failed, says why, and keeps a line in the error log', async () => {
    const gone = join(makeFolder(), 'gone')
    const runtime = await makeRuntime()
    const run = await begin(runtime, gone)
    const message = `no such path "${gone}"; name an existing file or folder`
    expect(await run.done).toMatchObject({
      verdict: 'failed',
      reason: message,
      error: { agent: 'scout', phase: 'initialization', code: 'evolution.no-such-path', message },
    })
    expect(readEvolution(run)).toMatchObject({ status: 'failed', errorLog: [{ agent: 'scout', message }] })
    expect(await summariseEvolutions(runtime)).toMatchObject([{ status: 'failed', hasErrors: true }])
  })

  it('stops the others', async () => {
    const runtime = await makeRuntime()
    const told: string[] = []
    runtime.on('agent', ({ agent, status }) => void told.push(`${agent} ${status}`))
    const run = await begin(runtime, makeProject({ 'src/broken.ts': 'export const = 3\n' }))
    expect(await run.done).toMatchObject({
      verdict: 'failed',
      reason: 'src/broken.ts:1:14 does not parse: Unexpected token; correct it first',
    })
    expect(told).toContain('planner stopped')
  })

  it('goes on where only some files do not parse', async () => {
    const run = await begin(await makeRuntime(), makeProject({ ...shop, 'src/broken.ts': 'export const = 3\n' }))
    expect(await run.done).toMatchObject({ verdict: 'success' })
  })

  it('makes no patch that would undo what somebody wrote meanwhile', async () => {
    const copies = watchCopies()
    const root = makeProject(shop)
    const runtime = await makeRuntime()
    onStep(runtime, 'implement', () => writeFileSync(join(root, 'src/price.ts'), '// written meanwhile\n'))
    const run = await begin(runtime, root)
    expect(await run.done).toMatchObject({
      verdict: 'failed',
      error: { code: 'evolution.changed-meanwhile', agent: 'implementer', phase: 'implementation' },
      reason: '"src/price.ts" was changed or removed while the evolution went on; run it again',
    })
    expect(readFileSync(join(root, 'src/price.ts'), 'utf8')).toBe('// written meanwhile\n')
    expect(copies()).toEqual([])
  })
})

describe('the context of an evolution', () => {
  it('compares before, plan, after and implementation', async () => {
    const run = await begin(await makeRuntime(), makeProject(shop))
    await run.done
    const { before, plan, after, implementation, deltas } = compareEvolution(run)
    expect(before?.metrics.unusedImports).toBe(3)
    expect(plan?.tasks.length).toBeGreaterThan(0)
    expect(after?.metrics.unusedImports).toBe(0)
    expect(implementation?.modifiedFiles).toEqual(['src/currency.ts', 'src/price.ts'])
    expect(deltas).toMatchObject({ unusedImports: -3, files: 0 })
  })

  it('knows nothing of an unknown evolution, and of one that has just begun', async () => {
    const runtime = await makeRuntime()
    expect(compareEvolution(runtime.get('run_unknown'))).toEqual({})
    const run = await begin(runtime, makeProject(shop))
    expect(compareEvolution(run)).toEqual({})
    await run.done
  })

  it('lists every evolution with what it is about', async () => {
    const runtime = await makeRuntime()
    const root = makeProject(shop)
    const run = await begin(runtime, root, { focus: ['types'] })
    await run.done
    expect(await summariseEvolutions(runtime)).toEqual([
      {
        evolutionId: run.id,
        createdAt: expect.stringMatching(/^\d{4}-.*Z$/) as string,
        targetPath: root,
        focusAreas: ['types'],
        status: 'completed',
        currentPhase: 'evaluation',
        hasErrors: false,
      },
    ])
  })

  it('comes back from a file as it was', async () => {
    const folder = makeFolder()
    const run = await begin(await makeRuntime(), makeProject(shop))
    await run.done
    const path = await exportEvolution(run, folder, { now })
    expect(path).toBe(join(folder, `evolution_${run.id}_20260102_030405.json`))
    expect(await importEvolution(path)).toEqual(readEvolution(run))
  })

  it('is exported as far as it is known', async () => {
    const folder = makeFolder()
    const run = await begin(await makeRuntime(), join(folder, 'gone'))
    await run.done
    const known = await importEvolution(await exportEvolution(run, folder))
    expect(known).toMatchObject({ status: 'failed', originalAnalysis: null, evaluationResults: null })
    expect(known).toEqual(readEvolution(run))
  })

  it('leaves nothing half-written when an export fails', async () => {
    const folder = makeFolder()
    const run = await begin(await makeRuntime(), join(folder, 'gone'))
    await run.done
    const blocked = join(folder, `evolution_${run.id}_20260102_030405.json`)
    mkdirSync(blocked)
    await expect(exportEvolution(run, folder, { now })).rejects.toThrow(/EISDIR|EEXIST|ENOTEMPTY|EPERM/)
    expect(readdirSync(folder)).toEqual([`evolution_${run.id}_20260102_030405.json`])
    rmSync(blocked, { recursive: true })
    expect(existsSync(await exportEvolution(run, folder, { now }))).toBe(true)
  })

  it('stays inside its folder whatever the id holds', async () => {
    const folder = makeFolder()
    const runtime = await makeRuntime()
    const input = { path: join(folder, 'gone') }
    const run = await runtime.start(evolution, { input, runId: '../over there' })
    await run.done
    expect(await exportEvolution(run, folder, { now })).toBe(
      join(folder, 'evolution_.._over_there_20260102_030405.json'),
    )
  })

  it.each([
    ['{ "half": ', 'is no exported evolution (at its root'],
    ['{}', 'is no exported evolution (at format'],
  ])('is not read from %s', async (content, message) => {
    const path = join(makeFolder(), 'evolution.json')
    writeFileSync(path, content)
    await expect(importEvolution(path)).rejects.toThrow(message)
  })

  it('refuses sections that nobody knows', async () => {
    const folder = makeFolder()
    const run = await begin(await makeRuntime(), join(folder, 'gone'))
    await run.done
    const path = await exportEvolution(run, folder)
    const content = JSON.parse(readFileSync(path, 'utf8')) as object
    writeFileSync(path, JSON.stringify({ ...content, afterthoughts: [] }))
    await expect(importEvolution(path)).rejects.toThrow('Unrecognized key: "afterthoughts"')
  })

  it('cannot be read where no file is', async () => {
    await expect(importEvolution(join(makeFolder(), 'gone.json'))).rejects.toMatchObject({
      code: 'evolution.unreadable',
    })
  })
})
