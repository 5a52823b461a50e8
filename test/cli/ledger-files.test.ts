// callboard export and callboard import, on real files.
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { ensureBuilt } from '../support/built-package.ts'
import { callboard, DEAL, makeFolder } from './world.ts'

beforeAll(ensureBuilt)

/** A folder with the exported ledger of a deal that waits for its approval. */
async function makeExport(): Promise<{ readonly folder: string; readonly runId: string; readonly text: string }> {
  const folder = makeFolder({ 'deal.ts': DEAL })
  const { stdout } = await callboard(['run', 'deal.ts', '--json'], folder)
  const { runId } = JSON.parse(stdout) as { readonly runId: string }
  await callboard(['export', runId, '--out', 'deal.jsonl'], folder)
  return { folder, runId, text: readFileSync(join(folder, 'deal.jsonl'), 'utf8') }
}

describe('callboard export', () => {
  it('writes the same to a file and to the standard output, the file as a whole and for nobody else to read', async () => {
    const { folder, runId, text } = await makeExport()
    expect((await callboard(['export', runId], folder)).stdout).toBe(text)
    expect(text.split('\n')).toHaveLength(1 + 8 + 1)
    expect(statSync(join(folder, 'deal.jsonl')).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  it('writes through a link to the file it leads to, there or not yet, and the link stays', async () => {
    const { folder, runId, text } = await makeExport()
    mkdirSync(join(folder, 'exports'))
    writeFileSync(join(folder, 'exports/old.jsonl'), 'old')
    symlinkSync('exports/old.jsonl', join(folder, 'old-link'))
    symlinkSync('exports/new.jsonl', join(folder, 'new-link'))
    for (const name of ['old', 'new']) {
      expect((await callboard(['export', runId, '--out', `${name}-link`], folder)).code).toBe(0)
      expect(lstatSync(join(folder, `${name}-link`)).isSymbolicLink()).toBe(true)
      expect(readFileSync(join(folder, `exports/${name}.jsonl`), 'utf8')).toBe(text)
    }
  })

  it('writes into a pipe, which stays one', async () => {
    const { folder, runId, text } = await makeExport()
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
    onTestFinished(() => closeSync(reader))
    expect((await callboard(['export', runId, '--out', 'pipe'], folder)).code).toBe(0)
    expect(readFileSync(reader, 'utf8')).toBe(text)
    expect(lstatSync(pipe).isFIFO()).toBe(true)
  })

  it('says in one line where it cannot write, and leaves what is there', async () => {
    const { folder, runId } = await makeExport()
    const { code, stderr } = await callboard(['export', runId, '--out', 'gone/deal.jsonl'], folder)
    expect(code).toBe(2)
    expect(stderr).toMatch(/^error: cannot write "gone\/deal\.jsonl": [^\n]+\n$/)
    expect((await callboard(['export', runId, '--out', '.'], folder)).code).toBe(2)
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })
})

describe('callboard import', () => {
  it('brings a run into another database, from where it is exported as the same bytes and gone on with', async () => {
    const { folder, runId, text } = await makeExport()
    const other = ['--db', 'other.db']
    const { code, stdout } = await callboard(['import', 'deal.jsonl', ...other], folder)
    expect(code).toBe(0)
    expect(stdout).toBe(
      `imported ${runId} with 8 records; look at it with: npx callboard show ${runId} --db other.db\n`,
    )
    expect((await callboard(['export', runId, ...other], folder)).stdout).toBe(text)
    expect((await callboard(['answer', runId, 'person', 'yes', ...other], folder)).code).toBe(0)
    expect((await callboard(['verify', ...other], folder)).code).toBe(0)
  })

  it('takes another id where the run is there already', async () => {
    const { folder, runId } = await makeExport()
    const again = await callboard(['import', 'deal.jsonl'], folder)
    const line = `error: there is a run ${runId} already; import it under another id with --as\n`
    expect(again).toEqual({ code: 2, stdout: '', stderr: line })
    const copy = await callboard(['import', 'deal.jsonl', '--as', 'copy', '--json'], folder)
    expect(JSON.parse(copy.stdout)).toEqual({ runId: 'copy', records: 8, status: 'active' })
    expect((await callboard(['runs'], folder)).stdout).toContain('\ncopy ')
  })

  it.each(['', '..', 'global:default'])('refuses "%s" as the id of a run', async (as) => {
    const { folder } = await makeExport()
    const { code, stderr } = await callboard(['import', 'deal.jsonl', '--as', as], folder)
    expect(code).toBe(2)
    expect(stderr).toMatch(/^error: deal\.jsonl: a run id is a non-empty[^\n]+; give another with --as\n$/)
  })

  it('refuses what was changed or cut off, naming the line, and stores nothing of it', async () => {
    const { folder, text } = await makeExport()
    const files = {
      'edited.jsonl': text.replace('"pages":2', '"pages":3'),
      'cut.jsonl': text.slice(0, -10),
      'short.jsonl': `${text.trimEnd().split('\n').slice(0, 6).join('\n')}\n`,
      'other.jsonl': '{"hello":"world"}\n',
      'empty.jsonl': '',
      'bytes.jsonl': Buffer.from([0xff, 0xfe, 0x00]),
    }
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
    const lines = {
      'edited.jsonl': 'edited.jsonl: line 7: the record is not the one that was appended here; export run run_',
      'cut.jsonl': 'cut.jsonl: line 9: the records from here to 8 are gone',
      'short.jsonl': 'short.jsonl: line 7: the records from here to 8 are gone',
      'other.jsonl': 'other.jsonl: the text does not begin with the header of a ledger',
      'empty.jsonl': 'empty.jsonl: the text does not begin with the header of a ledger',
      'bytes.jsonl': 'cannot read "bytes.jsonl": ',
      'gone.jsonl': 'cannot read "gone.jsonl": ',
    }
    for (const [name, line] of Object.entries(lines)) {
      const { code, stdout, stderr } = await callboard(['import', name, '--db', 'fresh.db', '--as', 'x'], folder)
      expect({ name, code, stdout }).toEqual({ name, code: 2, stdout: '' })
      expect(stderr).toContain(line)
      expect(stderr).toMatch(/^error: [^\n]+\n$/)
    }
    expect((await callboard(['runs', '--db', 'fresh.db'], folder)).stderr).toBe('no runs\n')
  })
})
