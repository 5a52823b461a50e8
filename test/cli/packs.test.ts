// callboard pack and callboard unpack, on real files.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { ensureBuilt, ROOT } from '../support/built-package.ts'
import { callboard, DEAL, makeFolder, start } from './world.ts'

beforeAll(ensureBuilt)

/** A folder with a deal that waits for its approval, and its pack. */
async function makePack(): Promise<{ readonly folder: string; readonly runId: string }> {
  const folder = makeFolder({ 'deal.ts': DEAL })
  const { stdout } = await callboard(['run', 'deal.ts', '--json'], folder)
  const { runId } = JSON.parse(stdout) as { readonly runId: string }
  const packed = await callboard(['pack', runId, '--out', 'deal.zip'], folder)
  expect(packed).toEqual({
    code: 0,
    stderr: '',
    stdout: `packed ${runId} into deal.zip; go on with it elsewhere with: npx callboard unpack deal.zip\n`,
  })
  return { folder, runId }
}

describe('callboard pack', () => {
  it('writes a file for nobody else to read, as a whole, and the same for the same run', async () => {
    const { folder, runId } = await makePack()
    expect(statSync(join(folder, 'deal.zip')).mode & 0o777).toBe(0o600)
    const { stdout } = await callboard(['pack', runId, '--json'], folder)
    const { file, ...said } = JSON.parse(stdout) as { readonly file: string }
    expect(file).toMatch(/^task_run_\w+_resume_\d{8}_\d{6}\.zip$/)
    expect(said).toEqual({
      packId: expect.stringMatching(/^pack_/) as unknown,
      runId,
      runs: 1,
      bytes: statSync(join(folder, 'deal.zip')).size,
    })
    expect(readFileSync(join(folder, file)).equals(readFileSync(join(folder, 'deal.zip')))).toBe(true)
    expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([])
    expect((await callboard(['pack', 'nobody'], folder)).code).toBe(2)
    expect((await callboard(['pack', runId, '--out', 'gone/deal.zip'], folder)).code).toBe(2)
  })

  it('has a working set and a ledger of a task in it', async () => {
    const folder = makeFolder({
      'begin.ts': `
        import { createTasks } from 'callboard/machines/task'
        import { openSqlite } from 'callboard/sqlite'
        const store = await openSqlite('tasks.db')
        const tasks = await createTasks({ store })
        await tasks.create({ objective: 'map the harbour', run_id: 'run_1', task_id: 'harbour' })
        await tasks.close()
        await store.close()
      `,
      'look.ts': `
        import { createTasks } from 'callboard/machines/task'
        import { readPack } from 'callboard/pack'
        import { openSqlite } from 'callboard/sqlite'
        const store = await openSqlite('other.db')
        const tasks = await createTasks({ store })
        const { files } = await readPack(process.argv[2])
        console.log(JSON.stringify({ files: [...files.keys()], ws: await tasks.get('run_2') }))
        await tasks.close()
        await store.close()
      `,
    })
    const run = async (file: string, ...args: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await start(relative(ROOT, join(folder, file)), args, { cwd: folder }).ended
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      return stdout
    }
    await run('begin.ts')
    const { stdout } = await callboard(['pack', 'run_1', '--db', 'tasks.db', '--json'], folder)
    const { file } = JSON.parse(stdout) as { readonly file: string }
    expect(file).toMatch(/^task_harbour_resume_/)
    expect((await callboard(['unpack', file, '--as', 'run_2', '--db', 'other.db'], folder)).code).toBe(0)
    expect(JSON.parse(await run('look.ts', file))).toMatchObject({
      files: ['ledger/callboard/run.jsonl', 'ledger/run.v2.1.jsonl', 'state/working_set.v2.1.json'],
      ws: { run_id: 'run_2', task_id: 'harbour', objective: 'map the harbour' },
    })
  })
})

describe('callboard unpack', () => {
  it('brings a run into another database, where it is gone on with, and says where it came from', async () => {
    const { folder, runId } = await makePack()
    const other = ['--db', 'other.db']
    const { code, stdout } = await callboard(['unpack', 'deal.zip', '--as', 'copy', ...other], folder)
    expect(code).toBe(0)
    expect(stdout).toBe('unpacked copy with 9 records; go on with it with: npx callboard resume copy --db other.db\n')
    expect((await callboard(['ledger', 'copy', ...other], folder)).stdout).toMatch(
      new RegExp(`unpack    person      out of pack_[0-9a-f]{32} of run ${runId}\\n`),
    )
    expect((await callboard(['answer', 'copy', 'person', 'yes', ...other], folder)).code).toBe(0)
    const { stdout: shown } = await callboard(['show', 'copy', '--json', ...other], folder)
    expect(JSON.parse(shown)).toMatchObject({ status: 'done' })
    expect((await callboard(['verify', '--replay', ...other], folder)).code).toBe(0)
    const made = await callboard(['unpack', 'deal.zip', '--json', ...other], folder)
    expect(JSON.parse(made.stdout)).toMatchObject({ records: 9, status: 'active', children: [] })
  })

  it('refuses in one line what is no pack, or a run that is there, and stores nothing', async () => {
    const { folder, runId } = await makePack()
    const again = await callboard(['unpack', 'deal.zip', '--as', runId], folder)
    const line = `error: there is a run ${runId} already; unpack it under another id with --as\n`
    expect(again).toEqual({ code: 2, stdout: '', stderr: line })
    writeFileSync(join(folder, 'other.zip'), 'hello')
    writeFileSync(join(folder, 'cut.zip'), readFileSync(join(folder, 'deal.zip')).subarray(0, -10))
    for (const [file, why] of [
      ['other.zip', 'the pack is no ZIP archive'],
      ['cut.zip', 'the pack is no ZIP archive'],
      ['gone.zip', 'cannot read the pack'],
    ] as const) {
      const { code, stdout, stderr } = await callboard(['unpack', file, '--db', 'fresh.db'], folder)
      expect({ file, code, stdout }).toEqual({ file, code: 2, stdout: '' })
      expect(stderr).toMatch(new RegExp(`^error: ${file}: ${why}[^\\n]+\\n$`))
    }
    expect((await callboard(['unpack', 'deal.zip', '--as', 'global:x', '--db', 'fresh.db'], folder)).code).toBe(2)
    expect((await callboard(['runs', '--db', 'fresh.db'], folder)).stderr).toBe('no runs\n')
  })
})
