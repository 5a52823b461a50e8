import { expect, it } from 'vitest'
import { analyse, findSources } from '../../../machines/evolution/index.ts'
import type { Analysis } from '../../../machines/evolution/index.ts'
import { makeProject, now } from './world.ts'

async function measure(files: Readonly<Record<string, string>>): Promise<Analysis> {
  return analyse({ sources: await findSources({ path: makeProject(files) }), now })
}

const found = ({ issues }: Analysis, kind: string) => issues.filter((issue) => issue.kind === kind)

it('counts the paths through a function as McCabe does', async () => {
  const { metrics } = await measure({
    'a.ts': `export function f(a: number, b?: string) {
      if (a > 1 && b) return 1
      for (const c of [1]) while (a) a--
      switch (a) { case 1: return 2; case 2: return 3; default: }
      try { return a ? 1 : 2 } catch { return b ?? 4 }
    }`,
  })
  // 1 + if, &&, for, while, 2 cases, catch, ?:, ??
  expect(metrics).toMatchObject({ functions: 1, maxComplexity: 10, averageComplexity: 10 })
})

it('weighs nesting as Campbell does', async () => {
  const { metrics } = await measure({
    'a.js': `function sum(max) {
      let total = 0
      outer: for (let i = 1; i <= max; ++i) {
        for (let j = 2; j < i; ++j) {
          if (i % j === 0) continue outer
        }
        total += i
      }
      return total
    }`,
  })
  expect(metrics.cognitiveComplexity).toBe(7)
})

it('finds exported names without documentation, and none that are documented', async () => {
  const analysis = await measure({
    'a.ts': `/** Documented. */
export function one() {}
/** TODO */
export function two() {}
// a line comment is none
export class Three {}
export const four = () => 1
export const FIVE = 5
/** @deprecated use one */
export type Six = string
interface Seven {}
export { Seven }
/** @file about the file */`,
  })
  expect(found(analysis, 'undocumented-export').map(({ name, line }) => [name, line])).toEqual([
    ['two', 4],
    ['Three', 6],
    ['four', 7],
    ['Seven', 11],
  ])
  expect(analysis.metrics).toMatchObject({ exportedNames: 6, documentedNames: 2, documentationRatio: 0.333 })
})

it('finds the exports of CommonJS', async () => {
  const analysis = await measure({
    'a.cjs': `class A {}
function b() {}
exports.A = A
module.exports.c = function () {}
module.exports.b = b`,
  })
  expect(found(analysis, 'undocumented-export').map(({ name }) => name)).toEqual(['A', 'b', 'c'])
})

it('finds missing types at the boundary, and any', async () => {
  const analysis = await measure({
    'a.ts': `export function f(a, b: string, c = 1, { d }) {}
export const g = (x: any): void => {}
export const h: (x: string) => void = (x) => {}
function inner(a) {}
inner(1)`,
  })
  expect(found(analysis, 'untyped-parameter').map(({ name, column }) => [name, column])).toEqual([
    ['f(a)', 19],
    ['f((destructured))', 40],
  ])
  expect(found(analysis, 'untyped-return').map(({ name }) => name)).toEqual(['f'])
  expect(found(analysis, 'explicit-any')).toHaveLength(1)
})

it('finds unused imports and declarations, and none that types, JSX, comments or exports use', async () => {
  const analysis = await measure({
    'a.tsx': `import React from 'react'
import type { Used, Unused } from './b.js'
import { linked, Shown, gone } from './b.js'
import * as everything from './b.js'
import './effects.js'
/** See {@link linked}. */
const view = <Shown value={1} />
function never() { never() }
export const value: Used = view
const kept = 1
export { kept as default }`,
    'b.ts':
      'export const linked = 1, Shown = 2, gone = 3\nexport type Used = unknown\nexport type Unused = 1\nexport type Lonely = 2',
    'c.ts': 'import type { value } from "./a.js"\nexport type V = typeof value',
  })
  expect(found(analysis, 'unused-import').map(({ name }) => name)).toEqual(['Unused', 'gone', 'everything'])
  expect(found(analysis, 'unused-local').map(({ name }) => name)).toEqual(['never'])
})

it('suspects exported names that nothing in the tree imports, with low confidence', async () => {
  const analysis = await measure({
    'a.ts': "import { used } from './b.js'\nexport { renamed } from './b.js'\nused()",
    'b.ts': 'export function used() {}\nexport function lonely() {}\nfunction inner() {}\nexport { inner as renamed }',
    'index.ts': 'export function offered() {}',
  })
  expect(found(analysis, 'unused-export')).toMatchObject([{ name: 'lonely', confidence: 'low', file: 'b.ts', line: 2 }])
})

it('gives a file that does not parse as an issue with its place, and measures the others', async () => {
  const analysis = await measure({
    'bad.ts': 'export const a = 1\nexport function (',
    'good.ts': 'export const b = 2\n',
  })
  expect(found(analysis, 'parse-error')).toMatchObject([{ file: 'bad.ts', line: 2, severity: 'error', edit: null }])
  expect(analysis.metrics).toMatchObject({ files: 1, lines: 1, parseErrors: 1 })
})

it('survives nesting that would overflow a parser', async () => {
  const analysis = await measure({
    'deep.js': `x = ${'[\n'.repeat(50_000)}`,
    'types.ts': `type X = ${'A<\n'.repeat(50_000)}`,
    'long.js': `if (a) {}${'\nelse if (a) {}'.repeat(9_000)}\nx = 1${'\n+1'.repeat(9_000)}`,
  })
  expect(found(analysis, 'parse-error').map(({ file }) => file)).toEqual(['deep.js', 'types.ts'])
})

it.each([
  ['a byte-order mark', '\uFEFFexport function f(a) {}', 1, 19],
  ['a shebang', '#!/usr/bin/env node\nexport function f(a) {}', 2, 19],
  ['both', '\uFEFF#!/usr/bin/env node\nexport function f(a) {}', 2, 19],
  ['CRLF', 'const x = 1\r\n\r\nexport function f(a) {}', 3, 19],
  ['characters beyond the basic plane', 'const x = "😀é"\nexport const y = "😀"; export function f(a) {}', 2, 42],
  ['a line separator', 'const x = 1\u2028export function f(a) {}', 2, 19],
])('gives places as compilers do with %s', async (_, content, line, column) => {
  const analysis = await measure({ 'a.ts': content })
  expect(found(analysis, 'untyped-parameter')).toMatchObject([{ line, column }])
})

it('reads JSX in .js, and a return at the top of CommonJS', async () => {
  const { metrics } = await measure({
    'a.js': 'export const a = <div />',
    'b.js': 'if (process.argv[2]) return\nfoo()',
  })
  expect(metrics).toMatchObject({ files: 2, parseErrors: 0 })
})

it('stops when it is aborted, and tells its progress', async () => {
  const sources = await findSources({ path: makeProject({ 'a.ts': '', 'b.ts': '' }) })
  const told: unknown[] = []
  await analyse({ sources, now, onProgress: (...args) => told.push(args) })
  expect(told).toEqual([
    [1, 2, 'a.ts'],
    [2, 2, 'b.ts'],
  ])
  await expect(analyse({ sources, now, signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough')
})
