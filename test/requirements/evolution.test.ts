// REQUIREMENTS 124 to 144: what an evolution knows about itself, and what can be done with it.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRuntime } from 'callboard'
import type { Run, Runtime } from 'callboard'
import { createEvolution } from '../../machines/evolution.ts'
import type { EvolutionOutput } from '../../machines/evolution.ts'
import {
  compareEvolution,
  exportEvolution,
  importEvolution,
  readEvolution,
  summariseEvolutions,
} from '../../machines/evolution/index.ts'
import { refusalOf } from '../runtime/world.ts'

const SOURCE = `import { join } from 'node:path'
export function sum(first: number, second: number) {
  return first + second
}
`

const parent = mkdtempSync(join(tmpdir(), 'callboard-evolution-'))
const project = join(parent, 'project')
let runtime: Runtime
let good: Run
let bad: Run
let output: EvolutionOutput
let phases: readonly unknown[]

beforeAll(async () => {
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{"name":"sample","type":"module","sideEffects":false}')
  writeFileSync(join(project, 'sum.ts'), SOURCE)
  runtime = await createRuntime()
  const evolution = createEvolution()
  // Two at once: nothing of one depends on the other.
  const [one, other] = await Promise.all([
    runtime.start(evolution, { input: { path: project, focus: ['documentation', 'types', 'unused'] } }),
    runtime.start(evolution, { input: { path: join(parent, 'nowhere') } }),
  ])
  output = await one.done
  await other.done
  good = one as unknown as Run
  bad = other as unknown as Run
  const records = await one.ledger()
  phases = records.flatMap(({ changes }) =>
    changes.filter(({ key }) => key === 'meta').map(({ cell }) => cell.entry.value),
  )
}, 60_000)

afterAll(async () => {
  await runtime.close()
  rmSync(parent, { recursive: true })
})

describe('an evolution', () => {
  it('has an id of its own, which is that of its run', () => {
    expect(readEvolution(good).evolutionId).toBe(good.id)
    expect(readEvolution(bad).evolutionId).toBe(bad.id)
    expect(good.id).not.toBe(bad.id)
  })

  it('knows its target, focus, status, phase, sections and errors, and null for what it has not found out', () => {
    const { evolutionId: _id, createdAt, ...known } = readEvolution(good)
    expect(Number.isNaN(Date.parse(createdAt))).toBe(false)
    expect(known).toMatchObject({
      targetPath: project,
      focusAreas: ['documentation', 'types', 'unused'],
      status: 'completed',
      currentPhase: 'evaluation',
      errorLog: [],
    })
    const names = [
      'originalAnalysis',
      'externalResearch',
      'improvementPlan',
      'implementationLog',
      'currentState',
      'evaluationResults',
    ]
    expect(names.filter((name) => known[name as keyof typeof known] === null)).toEqual([])
    expect(readEvolution(bad)).toMatchObject({ originalAnalysis: null, improvementPlan: null, evaluationResults: null })
  })

  it('begins as initialized, in the phase initialization, and says running_<phase> from then on', () => {
    expect(phases[0]).toMatchObject({ status: 'initialized', currentPhase: 'initialization' })
    const steps = phases.map((phase) => (phase as { status: string }).status)
    expect(steps).toEqual([
      'initialized',
      'running_research',
      'running_planning',
      'running_implementation',
      'running_evaluation',
      'completed',
    ])
  })

  it('is unknown where nobody started it', () => {
    expect(runtime.get('no-such-evolution')).toBeUndefined()
    expect(compareEvolution(runtime.get('no-such-evolution'))).toEqual({})
  })
})

describe('its sections', () => {
  it('are the analysis, the research, the plan, what was done and what came of it, each with the time it was stored', () => {
    const { originalAnalysis, externalResearch, improvementPlan, implementationLog, currentState, evaluationResults } =
      readEvolution(good)
    expect(originalAnalysis).toMatchObject({
      filesAnalyzed: [{ file: 'sum.ts' }],
      metrics: { files: 1, unusedImports: 1 },
    })
    expect(originalAnalysis?.issues.length).toBeGreaterThan(0)
    expect(externalResearch).toMatchObject({
      bestPractices: expect.any(Array),
      references: expect.any(Array),
      patterns: expect.any(Array),
    })
    expect(improvementPlan).toMatchObject({ priorities: expect.any(Object), dependencies: expect.any(Array) })
    expect(improvementPlan?.estimatedImpact).toBeGreaterThan(0)
    expect(implementationLog?.modifiedFiles).toEqual(['sum.ts'])
    expect(implementationLog?.rollbackPoints.length).toBeGreaterThan(0)
    expect(implementationLog?.totalChanges).toBe(implementationLog?.changes.length)
    expect(evaluationResults).toMatchObject({ verdict: output.verdict, successRate: output.successRate })
    const sections = [
      originalAnalysis,
      externalResearch,
      improvementPlan,
      implementationLog,
      currentState,
      evaluationResults,
    ]
    expect(sections.filter((section) => Number.isNaN(Date.parse(section?.storedAt ?? '')))).toEqual([])
  })

  it('of the first phase are stored by two agents at once, without loss', async () => {
    const records = await good.ledger()
    const began = records.findIndex(({ machine }) => JSON.stringify(machine?.value ?? '').includes('measuring'))
    expect(records[began]?.machine?.value).toMatchObject({ research: { analysis: 'measuring', practice: 'reading' } })
    expect(good.entry('analysis.original')).toMatchObject({ updatedBy: 'analyst', version: 1 })
    expect(good.entry('research.external')).toMatchObject({ updatedBy: 'researcher', version: 1 })
  })

  it('take no other name, and are not overwritten once they are there', async () => {
    const { runtime: other, run } = await openOne()
    expect(await refusalOf(run.update({ originalAnalysis: {} } as never))).toMatchObject({
      code: 'update.refused',
      details: { reason: 'unknown-key' },
    })
    await run.done
    await other.close()
  })
})

async function openOne(): Promise<{ runtime: Runtime; run: Run }> {
  const other = await createRuntime()
  const run = await other.start(createEvolution(), { input: { path: join(parent, 'nowhere') } })
  return { runtime: other, run: run as unknown as Run }
}

describe('comparing', () => {
  it('gives before, plan, implementation and after, and after is a measurement of its own', () => {
    const { before, plan, implementation, after, deltas } = compareEvolution(good)
    expect([before, plan, implementation, after].includes(undefined)).toBe(false)
    expect(before?.metrics.unusedImports).toBe(1)
    expect(after?.metrics.unusedImports).toBe(0)
    expect(deltas).toMatchObject({ unusedImports: -1, documentedNames: 1 })
    expect(output.deltas).toMatchObject({ unusedImports: -1 })
  })

  it('is what the run itself compares, three ways', async () => {
    const { before, plan, after, deltas } = await good.compare({
      before: 'analysis.original',
      plan: 'plan.improvement',
      after: 'state.current',
    })
    const compared = compareEvolution(good)
    expect({ before, plan, after }).toEqual({ before: compared.before, plan: compared.plan, after: compared.after })
    const metrics = deltas.filter(({ path }) => path[0] === 'metrics')
    expect(metrics).toHaveLength(Object.keys(compared.deltas ?? {}).length)
    for (const { path, delta } of metrics)
      expect(compared.deltas).toHaveProperty(path.slice(1), expect.closeTo(delta, 3))
  })

  it('has the same deltas as the evaluation', () => {
    const { deltas } = compareEvolution(good)
    const compared = readEvolution(good).evaluationResults?.metricsComparison ?? []
    expect(compared.length).toBeGreaterThan(5)
    for (const { metric, delta } of compared) expect(deltas?.[metric]).toBe(delta)
  })
})

it('an error is a line of the log with its time, phase, agent, code and message', () => {
  const [line, ...more] = readEvolution(bad).errorLog
  expect(more).toEqual([])
  expect(line).toMatchObject({ phase: 'initialization', agent: 'scout', code: 'evolution.no-such-path' })
  expect(line?.message).toContain('nowhere')
  expect(Number.isNaN(Date.parse(line?.at ?? ''))).toBe(false)
})

it('all evolutions are listed with id, time, target, status, phase, focus, and whether they have errors', async () => {
  const all = await summariseEvolutions(runtime)
  expect(all).toHaveLength(2)
  expect(all.find(({ evolutionId }) => evolutionId === good.id)).toMatchObject({
    targetPath: project,
    status: 'completed',
    currentPhase: 'evaluation',
    focusAreas: ['documentation', 'types', 'unused'],
    hasErrors: false,
  })
  expect(all.find(({ evolutionId }) => evolutionId === bad.id)).toMatchObject({ status: 'failed', hasErrors: true })
})

describe('exporting', () => {
  it('writes one file named after the evolution and the time, and importing gives an equal context', async () => {
    const path = await exportEvolution(good, parent, { now: () => Date.UTC(2026, 0, 2, 3, 4, 5) })
    expect(path).toBe(join(parent, `evolution_${good.id}_20260102_030405.json`))
    expect(await importEvolution(path)).toEqual(readEvolution(good))
  })

  it('that fails leaves no file behind', async () => {
    const before = readdirSync(parent)
    await expect(exportEvolution(good, join(parent, 'missing'))).rejects.toThrow(/missing/)
    expect(readdirSync(parent)).toEqual(before)
    expect(existsSync(join(parent, 'missing'))).toBe(false)
  })

  it('refuses to import what is no export', async () => {
    const path = join(parent, 'other.json')
    writeFileSync(path, JSON.stringify({ ...JSON.parse(JSON.stringify(readEvolution(good))), format: 'other' }))
    await expect(importEvolution(path)).rejects.toMatchObject({ code: 'evolution.not-an-export' })
  })
})

it('the target is left as it was', () => {
  expect(readFileSync(join(project, 'sum.ts'), 'utf8')).toBe(SOURCE)
})
