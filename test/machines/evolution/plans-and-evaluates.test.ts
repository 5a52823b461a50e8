import { chmodSync, existsSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  Priority,
  TaskKind,
  estimateImpact,
  evaluate,
  findSources,
  impactOf,
  makeCopy,
  practices,
  research,
} from '../../../machines/evolution/index.ts'
import { evolve, makeFolder, makeProject, now } from './world.ts'

it('estimates the impact as the mean of weight times priority, at most 1, and 0 without tasks', () => {
  expect(estimateImpact([])).toBe(0)
  expect(impactOf({ kind: 'add_docstrings', priority: 'high' })).toBe(0.45)
  expect(impactOf({ kind: 'refactor', priority: 'low' })).toBe(0.42)
  expect(
    estimateImpact([
      { kind: 'add_docstrings', priority: 'high' },
      { kind: 'add_type_hints', priority: 'medium' },
      { kind: 'other', priority: 'low' },
    ]),
  ).toBeCloseTo((0.45 + 0.2 + 0.07) / 3, 9)
  expect(estimateImpact([{ kind: 'fix_bug', priority: 'high' }])).toBe(1)
})

it('never estimates outside of 0 to 1', () => {
  const task = fc.record({ kind: fc.constantFrom(...TaskKind.options), priority: fc.constantFrom(...Priority.options) })
  fc.assert(
    fc.property(fc.array(task), (tasks) => {
      const impact = estimateImpact(tasks)
      expect(impact).toBeGreaterThanOrEqual(0)
      expect(impact).toBeLessThanOrEqual(1)
    }),
  )
})

const mixed = {
  'bad.ts': 'export const (',
  'a.ts': `import { join } from 'node:path'
export function readAll(path: string) { path() }
export function run(x: any) { ${'if (x) x()\n'.repeat(12)} }
const left = 1
`,
  'b.ts': 'export function pickOne(a: number) {\n  if (a) {\n    return 1\n  } else {\n    return 2\n  }\n}\n',
  'tsconfig.json': '{ "compilerOptions": {} }',
}

it('orders tasks so that each comes after those it depends on', async () => {
  const { plan } = await evolve(makeProject(mixed))
  const position = new Map(plan.tasks.map(({ id }, index) => [id, index]))
  for (const { id, dependsOn } of plan.tasks) {
    for (const earlier of dependsOn) expect(position.get(earlier)).toBeLessThan(position.get(id)!)
  }
  expect(plan.tasks[0]).toMatchObject({ kind: 'fix_bug', priority: 'high', file: 'bad.ts', automatic: false })
  expect(plan.dependencies.length).toBeGreaterThan(0)
  expect([...plan.priorities.high, ...plan.priorities.medium, ...plan.priorities.low].sort()).toEqual(
    plan.tasks.map(({ id }) => id).sort(),
  )
  expect(plan.estimatedImpact).toBe(estimateImpact(plan.tasks))
})

it('makes the same plan of the same input', async () => {
  const root = makeProject(mixed)
  expect((await evolve(root)).plan).toEqual((await evolve(root)).plan)
})

it('plans by the kinds and areas of the issues, settings included', async () => {
  const { plan } = await evolve(makeProject(mixed))
  const kinds = plan.tasks.map(
    ({ kind, area, automatic, file }) => `${file} ${kind} ${area} ${automatic ? 'automatic' : 'by hand'}`,
  )
  expect(kinds).toEqual(
    expect.arrayContaining([
      'a.ts refactor unused automatic',
      'a.ts refactor unused by hand',
      'a.ts add_type_hints types automatic',
      'a.ts add_type_hints types by hand',
      'a.ts reduce_complexity complexity by hand',
      'b.ts reduce_complexity complexity automatic',
      'a.ts add_docstrings documentation automatic',
      'tsconfig.json other types by hand',
    ]),
  )
})

it('judges partly done work as partial, and what became worse as failed', async () => {
  const { analysis: before, plan, implementation, after, evaluation } = await evolve(makeProject(mixed))
  expect(evaluation.goals.find(({ area }) => area === 'complexity')).toMatchObject({
    planned: 1,
    resolved: 1,
    remaining: 1,
    achieved: true,
  })
  const nothing = evaluate({ before, plan, implementation, after: before, now })
  expect(nothing).toMatchObject({ successRate: 0, verdict: 'failed', goalsAchieved: [] })
  const metrics = { ...after.metrics, parseErrors: 2 }
  expect(evaluate({ before, plan, implementation, after: { ...after, metrics }, now }).verdict).toBe('failed')
  const compilation = { ...implementation.compilation, errors: 1 }
  expect(evaluate({ before, plan, implementation: { ...implementation, compilation }, after, now }).verdict).toBe(
    'failed',
  )
  const half = { ...after, issues: before.issues.filter(({ area }) => area === 'types' || area === 'unused') }
  expect(evaluate({ before, plan, implementation, after: half, now })).toMatchObject({
    successRate: 0.5,
    verdict: 'partial',
  })
})

it('succeeds where there is nothing to improve', async () => {
  const { evaluation, plan } = await evolve(makeProject({ 'a.ts': '/** Documented. */\nexport const value = 1\n' }))
  expect(plan).toMatchObject({ tasks: [], estimatedImpact: 0 })
  expect(evaluation).toMatchObject({ successRate: 1, verdict: 'success', reason: 'there was nothing to improve' })
})

it('knows about twenty practices, each with a published source', () => {
  expect(practices.length).toBeGreaterThanOrEqual(20)
  expect(new Set(practices.map(({ id }) => id)).size).toBe(practices.length)
  expect(practices.every(({ why, reference, title }) => why !== '' && reference !== '' && title !== '')).toBe(true)
})

it('matches the practices with evidence, through inherited settings', async () => {
  const root = makeProject({
    'package.json': '{"name":"x","type":"module","engines":{"node":">=24"},"scripts":{"test":"node --test"}}',
    'tsconfig.json': '// inherited\n{ "extends": "./base.json", "compilerOptions": { "noUnusedLocals": true, }, }',
    'base.json': '{ "compilerOptions": { "strict": true, "noUncheckedIndexedAccess": false } }',
    'README.md': '# x',
    'src/a.ts': 'var a = b == c\nexport default a\nthrow "no"\n',
    'src/a.test.ts': 'export {}\n',
  })
  const { bestPractices, conventions, references } = await research({ sources: await findSources({ path: root }), now })
  const status = Object.fromEntries(bestPractices.map((practice) => [practice.id, practice.status]))
  expect(status).toMatchObject({
    'ts-strict': 'followed',
    'ts-unknown-catch': 'followed',
    'ts-unchecked-index': 'not-followed',
    'no-unused': 'followed',
    'no-var': 'not-followed',
    'strict-equality': 'not-followed',
    'throw-errors': 'not-followed',
    esm: 'followed',
    engines: 'followed',
    tests: 'followed',
    'doc-readme': 'followed',
    licence: 'not-followed',
    'doc-exports': 'unknown',
  })
  expect(bestPractices.find(({ id }) => id === 'no-var')).toMatchObject({
    evidence: 'declarations with var: 1, most of them in src/a.ts',
    file: 'src/a.ts',
  })
  expect(conventions).toMatchObject({ tests: 'beside', semicolons: false, modules: 'esm' })
  expect(references).toContain('TypeScript TSConfig reference: strict')
})

it('reads how a project is written', async () => {
  const root = makeProject({
    'a.js': `"use strict";\r\nconst a = require("b");\r\n\tfoo("x");\r\n\tbar();\r\n`,
    'spec/b.js': '\tfoo();\r\n',
    'c.js': '/**\n * One.\n * @param {string} a the first\n */\nmodule.exports = 1;\r\n\r\n\r\n\r\n\r\n\r\n',
  })
  const { conventions } = await research({ sources: await findSources({ path: root }), now })
  expect(conventions).toEqual({
    indent: 'tab',
    quotes: 'double',
    semicolons: true,
    eol: 'crlf',
    modules: 'commonjs',
    paramHyphen: false,
    blankLineBeforeTags: false,
    tests: 'folder',
  })
})

it('copies what a project needs, links its packages, and lets nothing lead out', async () => {
  const root = makeProject({
    'src/a.ts': 'export {}',
    'data.json': '{}',
    'dist/out.js': 'x',
    '.git/config': 'x',
    '.callboard/callboard.db': 'x',
    'node_modules/p/index.js': 'x',
    'packages/q/node_modules/r/index.js': 'x',
    'large.bin': 'x'.repeat(2000),
  })
  mkdirSync(join(root, 'links'))
  symlinkSync('../data.json', join(root, 'links/inside'))
  symlinkSync('/etc/hostname', join(root, 'links/outside'))
  symlinkSync('nowhere', join(root, 'links/broken'))
  chmodSync(join(root, 'data.json'), 0o600)
  const { directory, skipped } = await makeCopy({ root, parent: makeFolder(), bytesPerFile: 1000 })
  expect(readFileSync(join(directory, 'src/a.ts'), 'utf8')).toBe('export {}')
  expect(readlinkSync(join(directory, 'node_modules'))).toBe(join(root, 'node_modules'))
  expect(existsSync(join(directory, 'packages/q/node_modules/r/index.js'))).toBe(true)
  expect(readlinkSync(join(directory, 'links/inside'))).toBe('../data.json')
  expect(
    ['dist', '.git', '.callboard', 'links/outside', 'links/broken', 'large.bin'].filter((file) =>
      existsSync(join(directory, file)),
    ),
  ).toEqual([])
  expect(skipped.map(({ file }) => file).sort()).toEqual(['large.bin', 'links/broken', 'links/outside'])
})

it('copies an output folder when that is what is worked on', async () => {
  const root = makeProject({ 'dist/a.js': 'export function readAll(path = 1) { return path }\n', 'build/b.js': '' })
  writeFileSync(join(root, 'dist/data.txt'), 'x')
  const { copy, patch, sources } = await evolve(join(root, 'dist'))
  expect(sources).toMatchObject({ root, target: 'dist', files: ['dist/a.js'] })
  expect(existsSync(join(copy.directory, 'build'))).toBe(false)
  expect(patch).toContain('+++ b/dist/a.js')
})
