// Commands that look into a database, on a real file, with nothing but what is stored.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createRuntime, defineContext, entry } from 'callboard'
import type { CallboardError } from 'callboard'
import { openBook } from 'callboard/server'
import { openSqlite } from 'callboard/sqlite'
import { createTestClock } from '../support/clock.ts'
import { ensureBuilt, ROOT } from '../support/built-package.ts'
import { callboard, DEAL, FAMILY, GREETING, makeFolder, QUESTION, SECRET, start } from './world.ts'
import type { Ended } from './world.ts'

beforeAll(ensureBuilt)

const FINE = { code: 0, stderr: '' }

/** A folder in which a deal waits for its approval. */
async function makeDeal(): Promise<{ readonly folder: string; readonly runId: string }> {
  const folder = makeFolder({ 'deal.ts': DEAL })
  const { stdout } = await callboard(['run', 'deal.ts', '--json'], folder)
  return { folder, runId: (JSON.parse(stdout) as { readonly runId: string }).runId }
}

/** Lines in which runs of blanks are one. */
const squeezed = (text: string): string => text.replaceAll(/ +/g, ' ').trimEnd()

/** What may be mistyped, and what is said about it. */
const MISTAKES: readonly (readonly [args: readonly string[], line: string])[] = [
  [['show', 'x'], 'there is no run "x" in .callboard/callboard.db; callboard runs lists them'],
  [['show', 'run_'], '"run_" fits several runs: run_'],
  [['show', ''], 'there is no run "" in '],
  [['log', 'RUN', 'x'], 'has no entry "x"; it has api_key, notes, draft'],
  [['diff', 'RUN', '0', '3'], 'has no point 0; its last record is 8, its snapshots none'],
  [['diff', 'RUN', '1', '9'], 'has no point 9'],
  [['ledger', 'RUN', '--from', 'x'], "option '--from <seq>' argument 'x' is invalid. Give the number of a record"],
  [['view', 'RUN', 'writer', '--at', 'snap_1'], 'has no point snap_1'],
  [['view', 'RUN', 'reader'], 'no agent type "reader" is registered; registered are writer, person'],
  [['view', 'RUN', 'writer', '--module', 'gone.ts'], 'there is no file "gone.ts"'],
  [
    ['runs', '--db', 'gone.db'],
    'there is no database "gone.db"; name the file of a store, or begin with callboard run',
  ],
  [['runs', '--db', 'deal.ts'], 'deal.ts is no SQLite file, and no store of callboard'],
  [['runs', '--db', 'empty.db'], 'empty.db is empty: no store was made in it yet; name another file, begin in it with'],
  [['migrate', '--db', '.'], ' cannot be read or written (SQLite error 14)'],
  [['runs', '--status', 'odd'], "option '--status <status>' argument 'odd' is invalid"],
  [['answer', 'RUN', 'x', 'yes'], 'has no open request "x"; open are "run_'],
  [['answer', 'RUN', 'person', 'perhaps'], 'the answer was not accepted'],
  [['gc'], 'say what may go: --older-than 30d, --keep 100, --audit-older-than 90d, or several of them'],
  [['gc', '--older-than', '3 weeks'], 'Give a number and d, h, m or s: 30d'],
]

describe('callboard run', () => {
  it('keeps the run in .callboard, which Git ignores, or where --db says', async () => {
    const folder = makeFolder({ 'greeting.ts': GREETING })
    const input = ['--input', '{"name":"Ada"}']
    await callboard(['run', 'greeting.ts', ...input], folder)
    expect(readdirSync(join(folder, '.callboard'))).toEqual([
      '.gitignore',
      'callboard.db',
      'callboard.db-heads',
      'callboard.db-locks',
    ])
    await callboard(['run', 'greeting.ts', ...input, '--db', 'data/mine.db'], folder)
    expect(readdirSync(join(folder, 'data'))).toEqual(['mine.db', 'mine.db-heads', 'mine.db-locks'])
    const { stdout } = await callboard(['runs', '--db', 'data/mine.db'], folder)
    expect(squeezed(stdout)).toMatch(
      /^run workflow status records started last record module\nrun_\w+ greeting done \d+ \S+ \S+ greeting\.ts$/,
    )
  })

  it('leaves no database behind a mistyped input', async () => {
    const folder = makeFolder({ 'greeting.ts': GREETING })
    expect((await callboard(['run', 'greeting.ts', '--input', '{}'], folder)).code).toBe(2)
    expect(readdirSync(folder)).not.toContain('.callboard')
  })
})

const RATES = `
import { defineContext, entry } from 'callboard'
import { z } from 'zod'
const board = defineContext({ rate: entry(z.number(), { scope: 'global' }) })
const reader = board.agent({ reads: ['*'], run: async () => {} })
export const rates = board.workflow({ name: 'rates', agents: { reader } }).createMachine({})
`

describe('commands that look', () => {
  it('show a run by the beginning of its id, without its module, and no secret', async () => {
    const { folder, runId } = await makeDeal()
    const id = runId.slice('run_'.length, 'run_'.length + 6)
    const { code, stderr, stdout } = await callboard(['show', id], folder)
    expect({ code, stderr }).toEqual(FINE)
    const shown = squeezed(stdout).split('\n')
    expect(shown[0]).toBe(runId)
    expect(shown).toEqual(
      expect.arrayContaining([
        ' workflow deal (version 1)',
        ' state "asking"',
        ' module deal.ts',
        'api_key 1 medium workflow writer (sensitive)',
        'draft 2 medium workflow writer {"title":"One","pages":2}',
        `${runId}.person.2/ask approval person send it?`,
      ]),
    )
    const json = await callboard(['show', runId, '--json'], folder)
    expect(JSON.parse(json.stdout)).toMatchObject({
      runId,
      status: 'active',
      isWorkedOn: false,
      state: 'asking',
      labels: { module: 'deal.ts' },
      requests: [{ agent: 'person', question: 'send it?', target: { key: 'approval' } }],
    })
    expect(stdout + json.stdout).not.toContain(SECRET)
  })

  it('find a run by its id without run_, and before its child runs', async () => {
    const folder = makeFolder({ 'family.ts': FAMILY })
    const { stdout } = await callboard(['run', 'family.ts', '--json'], folder)
    const { runId } = JSON.parse(stdout) as { readonly runId: string }
    const id = runId.slice('run_'.length)
    const shown = async (text: string): Promise<string | undefined> =>
      (await callboard(['show', text], folder)).stdout.split('\n')[0]
    for (const text of [id, id.slice(0, 8), runId.slice(0, 12)]) expect(await shown(text)).toBe(runId)
    expect(await shown(`${id}.first.1`)).toBe(`${runId}.first.1`)
    expect((await callboard(['show', id], folder)).stdout).toContain(`${runId}.first.1 (active, an open request)\n`)
    expect(await shown(`${id}.sec`)).toBe(`${runId}.second.2`)
    expect((await callboard(['show', `${id}.`], folder)).stderr).toContain('fits several runs: ')
  })

  it('show global entries as they are now, and at a point as the run saw them then', async () => {
    const folder = makeFolder({ 'rates.ts': RATES })
    const path = join(folder, 'runs.db')
    const store = await openSqlite(path)
    const board = defineContext({ rate: entry(z.number(), { scope: 'global' }) })
    const workflow = board.workflow({ name: 'rates' }).createMachine({})
    const runtime = await createRuntime({ store })
    const [run, other] = [await runtime.start(workflow, { runId: 'r' }), await runtime.start(workflow)]
    await run.update({ rate: 1 })
    await other.update({ rate: 3 })
    await run.snapshot('then')
    await other.update({ rate: 4 })
    await runtime.close({ runs: 'keep' })
    await store.close()
    const look = async (...args: string[]): Promise<string[]> => {
      const { code, stderr, stdout } = await callboard([...args, '--db', path], folder)
      expect({ code, stderr }).toEqual(FINE)
      return squeezed(stdout).split('\n')
    }
    expect(await look('show', 'r')).toContain('rate 3 medium global outside 4')
    expect(await look('view', 'r', 'reader', '--module', 'rates.ts', '--at', '3')).toContain('rate 2 medium global 3')
    expect(await look('diff', 'r', '2', '3')).toEqual(['- rate 1 1', '+ rate 2 3'])
  })

  it('show the ledger, the log of an entry and the difference of two points, and no secret', async () => {
    const { folder, runId } = await makeDeal()
    const look = async (...args: string[]): Promise<string> => {
      const { code, stderr, stdout } = await callboard(args, folder)
      expect({ code, stderr }).toEqual(FINE)
      expect(stdout).not.toContain(SECRET)
      return stdout
    }
    const ledger = squeezed(await look('ledger', runId)).split('\n')
    expect(ledger.map((line) => line.replace(/^ ?(\d+) \S+ (.*)$/, '$1 $2'))).toEqual([
      '1 start outside state "writing"',
      '2 step writer step log in, attempt 1 begun',
      '3 step writer step log in, attempt 1 finished',
      '4 update writer wrote api_key 1',
      '5 update writer wrote notes 1, draft 1',
      '6 update writer wrote draft 2',
      expect.stringMatching(/^7 event workflow event xstate\.done\.actor\.writer; state "asking"$/),
      expect.stringMatching(/^8 request person asks send it\? /),
    ])
    const lines = (await look('ledger', runId, '--from', '4', '--json')).trimEnd().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { readonly seq: number }).seq)).toEqual([4, 5, 6, 7, 8])
    expect(
      squeezed(await look('log', runId, 'draft'))
        .split('\n')
        .slice(1)
        .map((line) => line.replace(/ \S+Z/, '')),
    ).toEqual(['5 1 writer put {"title":"One","pages":1}', '6 2 writer put {"title":"One","pages":2}'])
    expect(await look('log', runId, 'api_key')).toContain('(sensitive)')
    expect(squeezed(await look('diff', runId, '4', '6')).split('\n')).toEqual([
      '+ draft 2 {"title":"One","pages":2}',
      '+ notes 1 ["first"]',
    ])
    expect(await look('diff', runId, '1', '8', '--json')).toContain('"(sensitive)"')
  })

  it('show what an agent sees, and saw, with the rights that its workflow gives it', async () => {
    const { folder, runId } = await makeDeal()
    const keys = async (...args: string[]): Promise<readonly string[]> => {
      const { stdout } = await callboard(['view', runId, 'writer', '--json', ...args], folder)
      return (JSON.parse(stdout) as { readonly entries: readonly { readonly key: string }[] }).entries.map(
        ({ key }) => key,
      )
    }
    expect([...(await keys())].sort()).toEqual(['draft', 'notes'])
    expect(await keys('--at', '4')).toEqual([])
    const { stdout } = await callboard(['view', runId, 'writer', '--at', '5'], folder)
    expect(stdout).toContain('{"title":"One","pages":1}')
  })

  it('find the file sound, and the installation in order', async () => {
    const { folder, runId } = await makeDeal()
    expect(await callboard(['verify'], folder)).toEqual({ ...FINE, stdout: 'sound: 1 runs, 8 records, 0 snapshots\n' })
    expect((await callboard(['verify', runId, '--json'], folder)).stdout).toContain('"records": 8')
    const { code, stdout } = await callboard(['doctor', '--json'], folder)
    expect(code).toBe(0)
    const findings = JSON.parse(stdout) as readonly {
      readonly what: string
      readonly verdict: string
      readonly text: string
    }[]
    expect(findings.map(({ what, verdict }) => `${what} ${verdict}`)).toEqual(
      expect.arrayContaining(['node ok', 'sqlite ok', 'disk ok', 'database ok', 'integrity ok', 'locks ok']),
    )
    expect(findings.find(({ what }) => what === 'runs')?.text).toBe('1 unfinished, 1 to go on with: callboard resume')
  })

  it('work while another process writes, and follow what it does until the run ends', async () => {
    const slow = GREETING.replace(
      'await update({ name: input.name })',
      `const { existsSync } = await import('node:fs')
       for (let round = 0; !existsSync('go'); round++) await new Promise((wake) => setTimeout(wake, 20))
       await update({ name: input.name })`,
    )
    const folder = makeFolder({ 'greeting.ts': slow })
    const running = start('dist/cli/main.js', ['run', 'greeting.ts', '--input', '{"name":"Ada"}'], { cwd: folder })
    await running.seen('namer began')
    const runId = /run_\w+/.exec((await callboard(['runs'], folder)).stdout)?.[0] ?? ''
    expect(squeezed((await callboard(['show', runId], folder)).stdout)).toContain(
      'status active, a process works on it',
    )
    expect((await callboard(['resume', runId], folder)).stderr).toBe(
      `error: run ${runId} is worked on by another process; end that one first\n`,
    )
    const following = start('dist/cli/main.js', ['ledger', runId, '--follow'], { cwd: folder })
    await following.seen('state "working"')
    await callboard(['export', runId, '--out', 'go'], folder)
    expect((await running.ended).code).toBe(0)
    const { code, stdout } = await following.ended
    expect(code).toBe(0)
    expect(stdout).toContain('wrote greeting 1')
    expect(stdout).toMatch(/state "greeted"\n$/)
  })

  it('end on Ctrl-C while they follow', async () => {
    const { folder, runId } = await makeDeal()
    const following = start('dist/cli/main.js', ['ledger', runId, '--follow'], { cwd: folder })
    await following.seen('asks send it?')
    following.child.kill('SIGINT')
    expect((await following.ended).code).toBe(130)
  })

  it('answer mistakes with one line and an exit code', async () => {
    const { folder, runId } = await makeDeal()
    await callboard(['run', 'deal.ts', '--json'], folder)
    writeFileSync(join(folder, 'empty.db'), '')
    for (const [args, line] of MISTAKES) {
      const asked = args.map((arg) => (arg === 'RUN' ? runId : arg))
      const { code, stdout, stderr } = await callboard(asked, folder)
      expect(stderr).toContain(line)
      expect(stderr).toMatch(/^error: [^\n]+\n$/)
      expect([args, code]).toEqual([args, args[0] === 'migrate' ? 1 : 2])
      // An answer is given to a run that goes on, which is shown.
      if (args[0] !== 'answer') expect(stdout).toBe('')
    }
    expect(readFileSync(join(folder, 'empty.db'), 'utf8')).toBe('')
  }, 60_000)
})

describe('commands that look at a run whose first records were dropped', () => {
  it('say from where on it is kept, and refuse to begin before', async () => {
    const folder = makeFolder()
    const db = join(folder, 'x.db')
    const board = defineContext({ count: entry(z.int(), { merge: 'counter', default: 0 }) })
    const counting = board.workflow({ name: 'counting' }).createMachine({ id: 'counting' })
    const store = await openSqlite(db, { durability: 'process' })
    const clock = createTestClock()
    const options = { store, clock, snapshots: { everyRecords: 5 }, retention: { keepRecords: 5 } }
    const runtime = await createRuntime(options)
    const run = await runtime.start(counting, { runId: 'r' })
    for (let count = 0; count < 40; count++) await run.update({ count: 1 })
    await clock.settle()
    await runtime.close()
    const error = await store.read('r').catch((reason: CallboardError) => reason)
    const { firstSeq } = (error as CallboardError).details as { readonly firstSeq: number }
    expect(firstSeq).toBeGreaterThan(10)
    await store.close()

    const note = `run r: records are kept from ${firstSeq} on; what came before was dropped by its retention\n`
    for (const args of [
      ['ledger', 'r'],
      ['ledger', 'r', '--json'],
      ['log', 'r', 'count'],
      ['log', 'r', 'count', '--json'],
    ])
      expect(await callboard([...args, '--db', db], folder)).toMatchObject({ code: 0, stderr: note })
    expect((await callboard(['show', 'r', '--db', db], folder)).stdout).toContain(`records from ${firstSeq} on`)
    const { code, stdout, stderr } = await callboard(['ledger', 'r', '--from', '1', '--db', db], folder)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(`its records are kept from ${firstSeq} on, and 1 is asked for`)
    const from = await callboard(['ledger', 'r', '--from', String(firstSeq), '--json', '--db', db], folder)
    expect(from).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(from.stdout.split('\n')[0] ?? '')).toMatchObject({ seq: firstSeq })
  })
})

describe('callboard answer', () => {
  it('answers what a run asks and goes on with it', async () => {
    const { folder, runId } = await makeDeal()
    const { code, stdout } = await callboard(['answer', runId, 'approval', 'yes'], folder)
    expect(code).toBe(0)
    expect(stdout).toMatch(/done, look at it with: npx callboard show run_\w+\n\{\n {2}"approval": "yes"\n\}\n$/)
    expect(squeezed((await callboard(['runs'], folder)).stdout)).toContain(' deal done ')
    expect((await callboard(['answer', runId, 'approval', 'no'], folder)).stderr).toContain('open are none')
  })
})

describe('an answer', () => {
  it('to a question for a text is JSON, or the text as it is', async () => {
    const folder = makeFolder({ 'text.ts': QUESTION.replace("z.enum(['red', 'green'])", 'z.string()') })
    for (const [given, stored] of [
      ['hello', 'hello'],
      ['"hello"', 'hello'],
      ['" two  words "', ' two  words '],
      [String.raw`"\"quoted\""`, '"quoted"'],
      ['"open', '"open'],
      ['42', '42'],
    ] as const) {
      const { runId } = JSON.parse((await callboard(['run', 'text.ts', '--json'], folder)).stdout) as {
        readonly runId: string
      }
      const { stdout } = await callboard(['answer', runId, 'person', given, '--json'], folder)
      expect(JSON.parse(stdout)).toMatchObject({ output: stored })
    }
    const { stdout } = await callboard(['run', 'text.ts', '--json'], folder)
    const { runId } = JSON.parse(stdout) as { readonly runId: string }
    expect((await callboard(['show', runId], folder)).stdout).toMatch(/answer with: .* <request> <answer>\n/)
  })
})

describe('an id that came with an import', () => {
  const evil = 'x\u001B[31m\u0007y'

  it('reaches the terminal without what would move its cursor, and can be typed as it is shown', async () => {
    const { folder, runId } = await makeDeal()
    await callboard(['export', runId, '--out', 'deal.jsonl'], folder)
    await callboard(['pack', runId, '--out', 'deal.zip'], folder)
    const look = async (...args: string[]): Promise<string> => {
      const { stdout, stderr } = await callboard(args, folder)
      expect([args, stdout + stderr]).toEqual([args, expect.not.stringMatching(/[^\P{Cc}\n]/u)])
      return stdout
    }
    const imported = await look('import', 'deal.jsonl', '--as', evil)
    expect(imported).toContain('imported x [31m y with 8 records; ')
    await look('import', 'deal.jsonl', '--as', evil)
    await look('unpack', 'deal.zip', '--as', `${evil}2`)
    await look('pack', evil, '--out', 'evil\u001B[0m.zip')
    await look('fork', evil, '5', '--as', `${evil}3`)
    for (const command of ['show', 'ledger', 'resume', 'verify', 'export']) await look(command, evil)
    for (const command of ['runs', 'resume', 'verify']) await look(command)

    const typed = imported.slice(imported.indexOf('show '), -1)
    const shell = spawnSync(
      'bash',
      ['-c', `"$0" dist/cli/main.js ${typed} --db "$1"`, process.execPath, join(folder, '.callboard/callboard.db')],
      { cwd: ROOT, encoding: 'utf8' },
    )
    expect([shell.status, shell.stdout.split('\n')[0]]).toEqual([0, 'x [31m y'])
  })

  it('may begin like an option', async () => {
    const { folder, runId } = await makeDeal()
    await callboard(['export', runId, '--out', 'deal.jsonl'], folder)
    const { stdout } = await callboard(['import', 'deal.jsonl', '--as=-dash'], folder)
    expect(stdout).toContain('look at it with: npx callboard show -- -dash\n')
    expect((await callboard(['show', '--', '-dash'], folder)).stdout).toMatch(
      /answer with: npx callboard answer -- -dash <request> <answer>\n$/,
    )
    expect((await callboard(['answer', '--', '-dash', 'person', 'yes'], folder)).code).toBe(0)
  })
})

describe('callboard resume', () => {
  it('writes one line of JSON a run where none is named', async () => {
    const { folder, runId } = await makeDeal()
    const { runId: other } = JSON.parse((await callboard(['run', 'deal.ts', '--json'], folder)).stdout) as {
      readonly runId: string
    }
    const { code, stdout } = await callboard(['resume', '--json'], folder)
    expect(code).toBe(3)
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object)
    expect(lines).toMatchObject([
      { runId, status: 'waiting' },
      { runId: other, status: 'waiting' },
    ])
    expect(JSON.parse((await callboard(['resume', runId, '--json'], folder)).stdout)).toMatchObject({ runId })
  })

  it('goes on with every run that has not ended, and says which cannot', async () => {
    const { folder, runId } = await makeDeal()
    const renamed = makeFolder({ 'other.ts': DEAL })
    await callboard(['run', 'other.ts', '--db', join(folder, '.callboard/callboard.db')], renamed)
    const { code, stdout, stderr } = await callboard(['resume'], folder)
    expect(code).toBe(3)
    expect(stdout).toContain(`deal goes on as ${runId} in phase asking\n`)
    expect(stderr).toContain(`run ${runId} cannot go on by itself; `)
    expect(stderr).toMatch(/error: there is no file "other\.ts"; name the module of a workflow\n/)
  })

  it('takes another module where the first has moved', async () => {
    const folder = makeFolder({ 'moved.ts': DEAL })
    const before = makeFolder({ 'deal.ts': DEAL })
    const db = join(folder, 'x.db')
    await callboard(['run', 'deal.ts', '--db', db], before)
    expect((await callboard(['resume', '--db', db], folder)).stderr).toContain('there is no file "deal.ts"')
    expect((await callboard(['resume', 'run_', 'moved.ts', '--db', db, '--json'], folder)).stdout).toContain(
      '"waiting"',
    )
  })
})

describe('CALLBOARD_KEY', () => {
  const withKey = (folder: string, key: string, ...args: string[]): Promise<Ended> =>
    start('dist/cli/main.js', args, { cwd: folder, env: { CALLBOARD_KEY: key } }).ended

  it('encrypts the database, which opens with nothing else', async () => {
    const folder = makeFolder({ 'deal.ts': DEAL })
    const key = 'a key that nobody can guess'
    expect((await withKey(folder, key, 'run', 'deal.ts')).code).toBe(3)
    expect((await withKey(folder, key, 'runs')).stdout).toContain('deal')
    const line = 'is encrypted; give its key; the key is taken from CALLBOARD_KEY\n'
    const { code, stderr } = await callboard(['runs'], folder)
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(line) as string })
    const wrong = await withKey(folder, 'another key nobody can guess', 'runs')
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('is encrypted with another key') as string })
    expect(wrong.stderr).not.toContain('nobody')
    await expect(openSqlite(join(folder, '.callboard/callboard.db'))).rejects.toThrow('is encrypted')
  })

  it('is refused where it is easily guessed, an empty one too', async () => {
    const folder = makeFolder({ 'deal.ts': DEAL })
    for (const key of ['secret', '']) {
      const { code, stderr } = await withKey(folder, key, 'run', 'deal.ts')
      expect(code).toBe(2)
      expect(stderr).toMatch(/^error: the key has \d bytes; give at least 16, [^\n]*CALLBOARD_KEY\n$/)
    }
  })
})

describe('callboard gc', () => {
  it('lists what would be forgotten, and forgets it with --yes: ended runs only, the newest kept', async () => {
    const { folder, runId } = await makeDeal()
    const input = ['--input', '{"name":"Ada"}']
    const other = makeFolder({ 'greeting.ts': GREETING })
    const db = ['--db', join(folder, '.callboard/callboard.db')]
    const made: string[] = []
    for (let count = 0; count < 3; count++) {
      const { stdout } = await callboard(['run', 'greeting.ts', '--json', ...input, ...db], other)
      made.push((JSON.parse(stdout) as { readonly runId: string }).runId)
    }
    const ids = async (): Promise<readonly string[]> =>
      (JSON.parse((await callboard(['runs', '--json'], folder)).stdout) as readonly { readonly runId: string }[]).map(
        (run) => run.runId,
      )
    expect((await callboard(['gc', '--older-than', '1h'], folder)).stderr).toBe(
      '0 runs would be forgotten; do it with --yes\n',
    )
    const listed = await callboard(['gc', '--keep', '1'], folder)
    expect(listed.stderr).toBe('2 runs would be forgotten; do it with --yes\n')
    expect(await ids()).toEqual([runId, ...made])
    expect((await callboard(['gc', '--keep', '1', '--yes'], folder)).stderr).toBe('2 runs forgotten\n')
    expect(await ids()).toEqual([runId, made[2]])
    expect((await callboard(['verify'], folder)).code).toBe(0)
  })

  it('forgets old audit records of a server with --yes, and who reads on from a cursor misses none', async () => {
    const { folder } = await makeDeal()
    const gc = ['gc', '--audit-older-than', '90d']
    expect((await callboard([...gc, '--yes'], folder)).stderr).toBe('0 runs and 0 audit records forgotten\n')
    expect(readdirSync(join(folder, '.callboard'))).not.toContain('callboard.server.db')

    using book = openBook(join(folder, '.callboard/callboard.server.db'))
    const audit = (requestId: string, daysAgo: number): void => {
      const at = Date.now() - daysAgo * 86_400_000
      const who = { tenant: 'default', tokenId: null, caller: 'ada' }
      book.auditNow({ at, requestId, ...who, method: 'POST', route: '/api/runs', ids: {}, status: 201, code: null })
    }
    const left = (afterId = 0): readonly string[] =>
      book.audited('default', { afterId, limit: 10 }).map(({ requestId }) => requestId)
    audit('first', 100)
    audit('second', 91)
    audit('third', 89)
    expect((await callboard(gc, folder)).stderr).toBe(
      '0 runs and 2 audit records would be forgotten; do it with --yes\n',
    )
    expect(left()).toEqual(['first', 'second', 'third'])
    const { stdout } = await callboard([...gc, '--yes', '--json'], folder)
    expect(JSON.parse(stdout)).toEqual({ removed: true, runs: [], auditRecords: 2 })
    expect(left()).toEqual(['third'])

    await callboard(['gc', '--audit-older-than', '1d', '--yes'], folder)
    audit('fourth', 0)
    expect(left(3)).toEqual(['fourth'])
  })
})

describe('callboard migrate', () => {
  it('says that there is nothing to do', async () => {
    const { folder } = await makeDeal()
    expect(await callboard(['migrate'], folder)).toEqual({
      ...FINE,
      stdout: '.callboard/callboard.db has format 1, the newest\n',
    })
    expect((await callboard(['migrate', '--db', 'gone.db'], folder)).code).toBe(2)
  })
})
