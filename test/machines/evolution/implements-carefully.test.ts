import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  analyse,
  findSources,
  implement,
  makeCopy,
  makePlan,
  removeCopy,
  research,
} from '../../../machines/evolution/index.ts'
import type { Plan } from '../../../machines/evolution/index.ts'
import { evolve, hashOf, linkPackages, makeFolder, makeProject, now, tsc } from './world.ts'

const strict =
  '{ "compilerOptions": { "strict": true, "target": "es2024", "module": "nodenext", "types": [], "skipLibCheck": true } }'

async function prepare(files: Readonly<Record<string, string>>) {
  const sources = await findSources({ path: makeProject(files) })
  const [analysis, found] = await Promise.all([analyse({ sources, now }), research({ sources, now })])
  const copy = await makeCopy({ root: sources.root, parent: makeFolder() })
  return { sources, copy, conventions: found.conventions, plan: makePlan({ analysis, research: found, now }), now }
}

/** A task that is not in the plan by itself, to be carried out all the same. */
function automatic(file: string, edit: Plan['tasks'][number]['edit']): Plan['tasks'][number] {
  const place = { file, line: 1, targets: ['x'], dependsOn: [], estimatedImpact: 0.2 }
  return {
    id: `extra-${file}-${edit}`,
    title: 'extra',
    kind: 'add_type_hints',
    area: 'types',
    priority: 'low',
    automatic: true,
    edit,
    ...place,
  }
}

it('takes back the task that brings a new error of the compiler, and keeps the others', async () => {
  // What console is here takes less than everything, which the syntax does not show.
  const { implementation, copy } = await evolve(
    makeProject({
      'tsconfig.json': strict,
      'a.ts': `const console = { log: (line: string): void => void line }
export function startAll(name: string) { try { name.trim() } catch (e: any) { console.log(e) } }
`,
      'b.ts': 'export function stopAll(name: string) { name.trim() }\n',
    }),
    { tscPath: tsc },
  )
  expect(implementation.compilation.compiled).toBe('rolled-back')
  expect(new Set(implementation.dropped.map(({ file }) => file))).toEqual(new Set(['a.ts']))
  expect(implementation.dropped[0]?.reason).toContain('a.ts TS2345')
  const [a, b] = ['a.ts', 'b.ts'].map((file) => readFileSync(join(copy.directory, file), 'utf8'))
  expect(a).toContain('Starts all.')
  expect(a).toContain('(e: any)')
  expect(b).toContain('(name: string): void {')
})

it('finds the guilty file when the error shows elsewhere', async () => {
  // The import of b.ts is what makes its global declaration known: unused by name, but not without effect on types.
  const { implementation, copy } = await evolve(
    makeProject({
      'tsconfig.json': strict
        .replace('"types": []', '"types": []')
        .replace('} }', '}, "files": ["a.ts", "c.ts", "d.ts"] }'),
      'a.ts': "import { x } from './b.js'\nexport function readAll(path: string): void { path.trim() }\n",
      'b.ts': 'export const x = 1\ndeclare global { interface Extra { known: true } }\n',
      'c.ts': 'export const extra: Extra = { known: true }\n',
      'd.ts': "import { extra } from './c.js'\nexport function writeAll(path: string): void { path.trim() }\n",
    }),
    { tscPath: tsc },
  )
  expect(implementation.compilation).toMatchObject({ compiled: 'rolled-back', errors: 0 })
  expect(implementation.dropped).toMatchObject([{ file: 'a.ts', reason: expect.stringContaining('c.ts TS') }])
  expect(readFileSync(join(copy.directory, 'a.ts'), 'utf8')).toContain("import { x } from './b.js'")
  expect(readFileSync(join(copy.directory, 'a.ts'), 'utf8')).toContain('Reads all.')
  expect(readFileSync(join(copy.directory, 'd.ts'), 'utf8')).not.toContain('import')
})

it('compares with the errors that were there before', async () => {
  const files = {
    'tsconfig.json': strict,
    'a.ts': 'export const a: string = 1\nexport function readAll(path: string) { path.trim() }\n',
  }
  const { implementation } = await evolve(makeProject(files), { tscPath: tsc })
  expect(implementation.compilation).toMatchObject({ compiled: 'ok', before: 1, errors: 1 })
  expect(implementation.totalChanges).toBe(2)
})

it('does not take the silence of a compiler that refuses its settings for a yes', async () => {
  const files = {
    'tsconfig.json': strict.replace('es2024', 'es5'),
    'a.ts': 'export function stopAll(name: string) { name.trim() }\n',
  }
  const { implementation } = await evolve(makeProject(files), { tscPath: tsc })
  expect(implementation.compilation).toMatchObject({ compiled: 'failed', note: expect.stringContaining('TS5108') })
})

it('says when there is no compiler or no tsconfig, and uses the project its own', async () => {
  const files = { 'a.ts': 'export function readAll(path: string) { path.trim() }\n' }
  expect((await evolve(makeProject(files))).implementation.compilation.compiled).toBe('no-tsconfig')
  expect((await evolve(makeProject({ ...files, 'tsconfig.json': strict }))).implementation.compilation.compiled).toBe(
    'unavailable',
  )
  const own = makeProject({ ...files, 'tsconfig.json': strict })
  linkPackages(own)
  expect((await evolve(own)).implementation.compilation.compiled).toBe('ok')
})

it('gives a rollback point for every task that changed something', async () => {
  const { implementation, plan } = await evolve(
    makeProject({ 'a.ts': "import { join } from 'node:path'\nexport function readAll(path: string) { path() }\n" }),
  )
  expect(implementation.done).toEqual(plan.tasks.filter(({ automatic: done }) => done).map(({ id }) => id))
  const [first, second, third] = implementation.rollbackPoints
  expect(implementation.rollbackPoints).toHaveLength(3)
  expect(second?.sha256Before).toBe(first?.sha256After)
  expect(third?.sha256Before).toBe(second?.sha256After)
  expect(implementation.totalChanges).toBe(implementation.changes.length)
})

it('drops with a reason what cannot be done any more', async () => {
  const world = await prepare({
    'a.ts': 'export function readAll(path: string) { path() }\n',
    'b.ts': 'export {}\n',
    'c.ts': 'x',
  })
  writeFileSync(join(world.copy.directory, 'a.ts'), 'export function (')
  const extra = [automatic('b.ts', 'document'), automatic('../outside.ts', 'document')]
  const result = await implement({ ...world, plan: { ...world.plan, tasks: [...world.plan.tasks, ...extra] } })
  expect(result.totalChanges).toBe(0)
  expect(new Set(result.dropped.map(({ file, reason }) => `${file}: ${reason.slice(0, 27)}`))).toEqual(
    new Set([
      'a.ts: the file does not parse: Ex',
      'b.ts: there is nothing to change ',
      '../outside.ts: the file is not among the s',
    ]),
  )
})

it.skipIf(process.getuid?.() === 0)('drops what cannot be written (root can write everything)', async () => {
  const world = await prepare({ 'a.ts': 'export function readAll(path: string) { path() }\n' })
  chmodSync(join(world.copy.directory, 'a.ts'), 0o444)
  const result = await implement(world)
  expect(result.dropped.every(({ reason }) => reason.startsWith('the file cannot be written'))).toBe(true)
})

it('leaves the copy as it was when it is aborted', async () => {
  const world = await prepare({ 'tsconfig.json': strict, 'a.ts': 'export function readAll(path: string) { path() }\n' })
  const before = hashOf(world.copy.directory)
  const controller = new AbortController()
  const running = implement({
    ...world,
    tscPath: tsc,
    signal: controller.signal,
    onProgress: () => setImmediate(() => controller.abort()),
  })
  await expect(running).rejects.toThrow('abort')
  expect(hashOf(world.copy.directory)).toBe(before)
})

it('refuses to work on the project itself', async () => {
  const world = await prepare({ 'a.ts': 'export {}' })
  const copy = { root: world.sources.root, directory: world.sources.root }
  await expect(implement({ ...world, copy })).rejects.toMatchObject({ code: 'evolution.same-directory' })
  rmSync(world.copy.directory, { recursive: true })
  await expect(implement(world)).rejects.toMatchObject({ code: 'evolution.no-such-path' })
})

it('deletes only copies, and those twice without complaint', async () => {
  const { copy, sources } = await prepare({ 'a.ts': 'export {}' })
  await removeCopy(copy)
  await removeCopy(copy)
  await expect(removeCopy({ directory: sources.root })).rejects.toMatchObject({ code: 'evolution.not-a-copy' })
})

const statement = fc.constantFrom(
  "import { join, resolve } from 'node:path'",
  "import type { Stats } from 'node:fs'",
  "import fs, { readFileSync } from 'node:fs'",
  '// a comment',
  '/** Documented. */\nexport function documented(): void {}',
  'export function readAll(path: string, limit = 3) { return `${path}${limit}` }',
  'export async function closeAll() { await resolve() }',
  'export class LineReader { read() { return 1 } }',
  'export type Mode = "a" | "b"',
  'export interface Options { deep: boolean }',
  'export function pick(a: number) {\n  if (a) {\n    return 1\n  } else {\n    const text = `a\n  b`\n    return text\n  }\n}',
  'function inner(a) {\n\tfor (const b of a) {\n\t\tif (b) { continue } else {\n\t\t\tif (a) { break } else { fs() }\n\t\t}\n\t}\n}',
  'try { inner() } catch (error: any) { console.log(error) }',
  'const local = "😀"; export const isReady = () => local === "x"',
  'export default function () { readFileSync(1) }',
)

it('finds nothing left to do after it is done, whatever the file', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(statement, { minLength: 1, maxLength: 9 }),
      fc.constantFrom('\n', '\r\n'),
      fc.constantFrom('', '\uFEFF', '#!/usr/bin/env node\n'),
      async (statements, eol, start) => {
        const content = `${start}${statements.join('\n\n')}\n`.replaceAll('\n', eol)
        const first = await evolve(makeProject({ 'a.ts': content }))
        expect(first.after.metrics.parseErrors).toBe(0)
        expect(first.implementation.dropped).toEqual([])
        const second = await evolve(makeProject({ 'a.ts': readFileSync(join(first.copy.directory, 'a.ts'), 'utf8') }))
        expect(second.implementation.totalChanges).toBe(0)
        expect(second.patch).toBe('')
      },
    ),
    { numRuns: 40 },
  )
})
