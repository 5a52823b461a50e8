// callboard fork and callboard restore, on a real file.
import { beforeAll, describe, expect, it } from 'vitest'
import { ensureBuilt } from '../support/built-package.ts'
import { callboard, DEAL, makeFolder } from './world.ts'

beforeAll(ensureBuilt)

async function makeDeal(): Promise<{ readonly folder: string; readonly runId: string }> {
  const folder = makeFolder({ 'deal.ts': DEAL })
  const { stdout } = await callboard(['run', 'deal.ts', '--json'], folder)
  return { folder, runId: (JSON.parse(stdout) as { readonly runId: string }).runId }
}

interface Shown {
  readonly status: string
  readonly seq: number
  readonly labels: object
  readonly entries: readonly { readonly key: string; readonly version: number; readonly value: unknown }[]
}

async function show(folder: string, runId: string): Promise<Shown> {
  return JSON.parse((await callboard(['show', runId, '--json'], folder)).stdout) as Shown
}

describe('callboard fork', () => {
  it('goes on from a point in a new run, which is gone on with like any other; the first stays as it is', async () => {
    const { folder, runId } = await makeDeal()
    const before = await callboard(['export', runId], folder)
    const forked = await callboard(['fork', runId, '5', '--as', 'other', '--reason', 'to try'], folder)
    expect(forked.code).toBe(3)
    expect(forked.stdout).toContain('deal goes on as other in phase writing\n')
    expect(forked.stderr).toContain('to answer what it asks, go on in a terminal: npx callboard resume other\n')
    expect(await callboard(['export', runId], folder)).toEqual(before)
    expect(await show(folder, 'other')).toMatchObject({ status: 'active', labels: { module: 'deal.ts' } })
    expect((await callboard(['answer', 'other', 'person', 'yes'], folder)).code).toBe(0)
    expect((await show(folder, runId)).status).toBe('active')
  })

  it('is refused where there is nothing to go on with, or the id is taken', async () => {
    const { folder, runId } = await makeDeal()
    await callboard(['answer', runId, 'person', 'yes'], folder)
    const { seq } = await show(folder, runId)
    const over = await callboard(['fork', runId, String(seq)], folder)
    expect(over).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^error: [^\n]+ had ended at [^\n]+\n$/) as string,
    })
    const taken = await callboard(['fork', runId, '3', '--as', runId], folder)
    expect(taken).toMatchObject({ code: 2, stderr: `error: there is a run ${runId} already; choose another id\n` })
  })
})

describe('callboard restore', () => {
  it('puts the entries back in new versions, says which, and goes on with the run', async () => {
    const { folder, runId } = await makeDeal()
    const { code, stderr } = await callboard(['restore', runId, '5'], folder)
    expect(code).toBe(3)
    expect(stderr).toContain('as after record 5: put back draft\n')
    const { entries } = await show(folder, runId)
    expect(entries.find(({ key }) => key === 'draft')).toMatchObject({ version: 3, value: { title: 'One', pages: 1 } })
  })

  it('is refused for a run that has ended', async () => {
    const { folder, runId } = await makeDeal()
    await callboard(['answer', runId, 'person', 'yes'], folder)
    const { code, stderr } = await callboard(['restore', runId, '5'], folder)
    expect(code).toBe(2)
    expect(stderr).toMatch(/^error: [^\n]+\n$/)
  })
})
