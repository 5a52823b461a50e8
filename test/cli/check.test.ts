import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { ensureBuilt, ROOT } from '../support/built-package.ts'
import { callboard, makeFolder, start } from './world.ts'

beforeAll(ensureBuilt)

/** A workflow that waits in a state. */
const ordering = (state: string, more = ''): string => `
import { defineContext } from 'callboard'
export const ordering = defineContext({})
  .workflow({ name: 'ordering', version: '${state}'${more} })
  .createMachine({ id: 'ordering', initial: '${state}', states: { ${state}: {} } })
`

/** Starts a run of the workflow and keeps the file open. */
const KEEPER = `
import { createRuntime } from 'callboard'
import { openSqlite } from 'callboard/sqlite'
import { ordering } from './ordering.ts'
const runtime = await createRuntime({ store: await openSqlite('runs.db') })
await runtime.start(ordering, { runId: 'order-1' })
console.log('started')
setInterval(() => {}, 1000)
`

/** A folder with a run in runs.db; the process that works on it goes on until the test is over. */
async function folderWithRun(files: Readonly<Record<string, string>> = {}): Promise<string> {
  const folder = makeFolder({ 'ordering.ts': ordering('pricing'), 'keeper.ts': KEEPER, ...files })
  const { child, seen } = start(relative(ROOT, join(folder, 'keeper.ts')), [], { cwd: folder })
  onTestFinished(() => void child.kill('SIGKILL'))
  await seen('started')
  return folder
}

describe('callboard check --against', () => {
  it('says that runs go on, while another process works on them', async () => {
    const folder = await folderWithRun()
    const { code, stdout, stderr } = await callboard(['check', '--against', 'runs.db', 'ordering.ts'], folder)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toBe(
      'restores           order-1  ordering  pricing\n' +
        '1 run: 1 restores; 0 restores, changed; 0 needs migration; 0 breaks\n',
    )
  })

  it('names what would break and why, and fails', async () => {
    const folder = await folderWithRun({ 'next.ts': ordering('quoting') })
    const before = readFileSync(join(folder, 'runs.db'))
    const { code, stdout, stderr } = await callboard(['check', '--against', 'runs.db', 'next.ts'], folder)
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
    expect(stdout).toMatch(/^breaks +order-1 {2}ordering {2}pricing → quoting\n/)
    expect(stdout).toContain('    state "pricing" is gone, and the run is in it\n')
    expect(stdout).toMatch(/changed in ordering since pricing \([\da-f]{8}\): .*state "quoting" is new/)
    expect(readFileSync(join(folder, 'runs.db')).equals(before)).toBe(true)
  })

  it('is content with a migration, and writes one JSON document', async () => {
    const migrating = ordering('quoting', ", migrate: () => ({ value: 'quoting' })")
    const folder = await folderWithRun({ 'next.ts': migrating })
    const args = ['check', '--against', 'runs.db', '--json', 'next.ts']
    const { code, stdout } = await callboard(args, folder)
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      runs: [{ runId: 'order-1', workflow: 'ordering', outcome: 'needs-migration', reasons: [] }],
      counts: { 'needs-migration': 1, breaks: 0 },
    })
  })

  it('takes several modules, and misses a workflow that none of them exports', async () => {
    const other = ordering('pricing').replaceAll('ordering', 'shipping')
    const folder = await folderWithRun({ 'shipping.ts': other })
    const both = await callboard(['check', '--against', 'runs.db', 'shipping.ts', 'ordering.ts'], folder)
    expect(both.code).toBe(0)
    const one = await callboard(['check', '--against', 'runs.db', 'shipping.ts'], folder)
    expect(one.code).toBe(1)
    expect(one.stdout).toContain('no workflow "ordering" is given')
  })

  it.each([
    [
      ['check', '--against', 'none.db', 'ordering.ts'],
      'error: there is no database "none.db"; name the file of a store, or begin with callboard run\n',
    ],
    [['check', 'ordering.ts'], "error: required option '--against <db>' not specified; see callboard --help\n"],
    [['check', '--against', 'none.db'], "error: missing required argument 'module'; see callboard --help\n"],
  ])('answers %j with one line and exit code 2', async (args, line) => {
    const folder = makeFolder({ 'ordering.ts': ordering('pricing') })
    expect(await callboard(args, folder)).toEqual({ code: 2, stdout: '', stderr: line })
  })
})
