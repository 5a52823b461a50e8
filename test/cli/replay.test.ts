// callboard verify --replay, on a real file.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { ensureBuilt } from '../support/built-package.ts'
import { callboard, DEAL, GREETING, makeFolder } from './world.ts'

beforeAll(ensureBuilt)

async function makeDeal(): Promise<{ readonly folder: string; readonly runId: string }> {
  const folder = makeFolder({ 'deal.ts': DEAL, 'greeting.ts': GREETING })
  const { stdout } = await callboard(['run', 'deal.ts', '--json'], folder)
  return { folder, runId: (JSON.parse(stdout) as { readonly runId: string }).runId }
}

describe('callboard verify --replay', () => {
  it('says of every run that it comes out the same', async () => {
    const { folder, runId } = await makeDeal()
    await callboard(['answer', runId, 'person', 'yes'], folder)
    await callboard(['run', 'greeting.ts', '--input', '{"name":"Ada"}'], folder)
    const { code, stdout, stderr } = await callboard(['verify', '--replay'], folder)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^sound: 2 runs, \d+ records, 0 snapshots\n/)
    expect(stdout).toMatch(new RegExp(`${runId}: \\d+ records come out the same\n`))
    const json = await callboard(['verify', runId, '--replay', '--json'], folder)
    expect(JSON.parse(json.stdout)).toMatchObject({ runs: 1, replays: [{ runId, records: 10, takenOver: [] }] })
  })

  it('names the first record and key that are others with the workflow as it is now', async () => {
    const { folder, runId } = await makeDeal()
    const changed = DEAL.replace('asking: {', "asking: { entry: board.write({ notes: ['asked'] }),")
    writeFileSync(join(folder, 'changed.ts'), changed)
    const { code, stdout } = await callboard(['verify', runId, '--replay', '--module', 'changed.ts'], folder)
    expect(code).toBe(1)
    expect(stdout).toContain(`\n${runId}: differs at 7 (notes): "notes" changes now\n`)
    expect((await callboard(['verify', runId], folder)).code).toBe(0)
  })

  it('says why a run cannot be replayed', async () => {
    const { folder, runId } = await makeDeal()
    const gone = await callboard(['verify', '--replay', '--module', 'gone.ts'], folder)
    expect(gone).toMatchObject({
      code: 1,
      stdout: expect.stringContaining(`${runId}: not replayed: there is no file`) as string,
    })
    const other = await callboard(['verify', runId, '--replay', '--module', 'greeting.ts'], folder)
    expect(other).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('which the module does not export') as string,
    })
  })
})
