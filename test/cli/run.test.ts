import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { ensureBuilt } from '../support/built-package.ts'
import { callboard, FAMILY, GREETING, makeFolder, QUESTION, start } from './world.ts'

beforeAll(ensureBuilt)

const NAME = ['--input', '{"name":"Ada"}'] as const

/** The happenings that were shown, without their times. */
const happenings = (stdout: string): string[] =>
  stdout
    .split('\n')
    .filter((line) => /^ *[\d.]+ s {2}/.test(line))
    .map((line) => line.replace(/^ *[\d.]+ s {2}/, '').replaceAll(/run_[0-9a-f]{16}/g, 'RUN'))

describe('callboard run', () => {
  it('shows phases, agents, what they write and progress as lines, and the output last', async () => {
    const folder = makeFolder({ 'greeting.ts': GREETING })
    const { code, stdout, stderr } = await callboard(['run', 'greeting.ts', ...NAME], folder)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const shown = happenings(stdout)
    expect(shown.slice(0, 2)).toEqual(['greeting began as RUN', 'phase working'])
    expect(shown).toEqual(
      expect.arrayContaining([
        'greeter began',
        'namer began',
        'namer 2/8 letters',
        'namer 8/8 letters',
        'namer wrote name',
        'greeter wrote greeting',
        'greeter finished',
      ]),
    )
    expect(shown.at(-1)).toBe('phase greeted')
    expect(stdout).toMatch(/\ndone, look at it with: npx callboard show run_\w+\n\{\n {2}"text": "hello Ada"\n\}\n$/)
  })

  it('tells progress as lines only at every quarter of the way', async () => {
    const { stdout } = await callboard(['run', 'greeting.ts', ...NAME], makeFolder({ 'greeting.ts': GREETING }))
    expect(happenings(stdout).filter((line) => line.includes('letters'))).toEqual([
      'namer 2/8 letters',
      'namer 4/8 letters',
      'namer 6/8 letters',
      'namer 8/8 letters',
    ])
  })

  it('writes nothing but one JSON document with --json', async () => {
    const folder = makeFolder({ 'greeting.ts': GREETING })
    const { code, stdout, stderr } = await callboard(['run', 'greeting.ts', '--json', ...NAME], folder)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toEqual({
      runId: expect.stringMatching(/^run_/) as string,
      workflow: 'greeting',
      status: 'done',
      output: { text: 'hello Ada' },
    })
  })

  it('reads the input from a file after @', async () => {
    const folder = makeFolder({ 'greeting.ts': GREETING, 'input.json': '{ "name": "Grace" }' })
    const { stdout } = await callboard(['run', 'greeting.ts', '--input', '@input.json'], folder)
    expect(stdout).toContain('"hello Grace"')
  })

  it('runs the export that is asked for, else the default one', async () => {
    const folder = makeFolder({
      'both.ts': `${GREETING}${QUESTION.replaceAll(/^import .*$/gm, '').replaceAll('board', 'second')}`,
    })
    expect((await callboard(['run', 'both.ts', '--export', 'greeting', ...NAME], folder)).stdout).toContain('hello Ada')
    expect((await callboard(['run', 'both.ts'], folder)).stdout).toContain('question began')
  })

  it('exits with 1 and one line when the run fails', async () => {
    const failing = GREETING.replace('await update({ name: input.name })', "throw new Error('no ink left')")
    const { code, stderr } = await callboard(['run', 'greeting.ts', ...NAME], makeFolder({ 'greeting.ts': failing }))
    expect(code).toBe(1)
    expect(stderr).toBe('error: agent namer failed: no ink left\n')
  })

  it('prints open requests with their id where nobody can be asked, and exits with 3', async () => {
    const folder = makeFolder({ 'question.ts': QUESTION })
    const { code, stdout, stderr } = await callboard(['run', 'question.ts'], folder)
    expect(code).toBe(3)
    expect(happenings(stdout).at(-1)).toMatch(
      /^person asks a person: which colour\? \(request RUN\.person\.\d+\/ask colour\)$/,
    )
    expect(stderr).toMatch(
      /cannot go on by itself; to answer what it asks, go on in a terminal: npx callboard resume run_\w+\n/,
    )
  })

  it('has the open requests in its JSON document', async () => {
    const { code, stdout } = await callboard(['run', 'question.ts', '--json'], makeFolder({ 'question.ts': QUESTION }))
    expect(code).toBe(3)
    expect(JSON.parse(stdout)).toMatchObject({
      status: 'waiting',
      requests: [{ agent: 'person', target: { key: 'colour' }, question: 'which colour?' }],
    })
  })

  it('shows what its child runs ask, and how to answer that', async () => {
    const folder = makeFolder({ 'family.ts': FAMILY })
    const { code, stderr } = await callboard(['run', 'family.ts'], folder)
    expect(code).toBe(3)
    expect(stderr).toMatch(/^run run_\w+ cannot go on by itself; to answer what it asks, go on in a terminal: npx /)
    const answers = stderr.matchAll(/^person asks: whose\? \(npx callboard answer (\S+) '([^']+)' <answer>\)$/gm)
    const commands = Array.from(answers, ([, runId = '', request = '']) => ['answer', runId, request]).sort()
    expect(commands.map(([, runId]) => runId?.replace(/^run_\w+?(?=\.)/, ''))).toEqual(['.first.1', '.second.2'])
    for (const [, runId = ''] of commands) expect(stderr).toContain(`run ${runId} is active in "asking"`)

    const [first = [], second = []] = commands
    const json = await callboard([...first, 'Ada', '--json'], folder)
    expect(JSON.parse(json.stdout)).toMatchObject({
      status: 'waiting',
      requests: [{ runId: second[1], question: 'whose?' }],
    })
    expect((await callboard([...second, 'Grace'], folder)).code).toBe(0)
  })

  it('says what helps where a run waits for an event from outside', async () => {
    const waiting = GREETING.replace("onDone: 'greeted' }", '}').replace(
      'invoke: [',
      "on: { go: 'greeted' }, invoke: [",
    )
    const { code, stderr } = await callboard(['run', 'greeting.ts', ...NAME], makeFolder({ 'greeting.ts': waiting }))
    expect(code).toBe(3)
    expect(stderr).toMatch(
      /what it waits for comes from outside, an entry or an event; go on with: npx callboard resume /,
    )
  })

  it('stops the agents on Ctrl-C, lets them tidy up, and exits with 130', async () => {
    const folder = makeFolder({
      'long.ts': GREETING.replace(
        'await update({ name: input.name })',
        `console.log('working')
        const alive = setInterval(() => {}, 1000)
        await new Promise((stopped) => signal.addEventListener('abort', stopped))
        clearInterval(alive)
        console.log('tidied up')`,
      ).replace('{ input, update, progress }', '{ input, update, progress, signal }'),
    })
    const running = start('dist/cli/main.js', ['run', 'long.ts', ...NAME], { cwd: folder })
    await running.seen('working')
    running.child.kill('SIGINT')
    const { code, stdout, stderr } = await running.ended
    expect(code).toBe(130)
    expect(stdout).toContain('tidied up')
    expect(stderr).toMatch(/^run (run_\w+) was interrupted by SIGINT; go on with: npx callboard resume \1\n$/)
  })
})

describe('a module that cannot be run is answered with one line and exit code 2', () => {
  const machine = `import { createMachine } from 'xstate'\nexport const lamp = createMachine({ id: 'lamp', initial: 'off', states: { off: {} } })\n`
  const files = {
    'greeting.ts': GREETING,
    'question.ts': QUESTION,
    'two.ts': "export { greeting } from './greeting.ts'\nexport { default as question } from './question.ts'\n",
    'nothing.ts': 'export const answer = 42\n',
    'lamp.ts': machine,
    'enum.ts': 'export enum Colour { red }\n',
    'broken.ts': 'export const = 3\n',
    'throws.ts': "throw new Error('not today')\n",
    'missing-import.ts': "import './gone.ts'\n",
    'notes.txt': 'hello\n',
    'folder/x.ts': '',
  }

  it.each([
    ['gone.ts', 'there is no file "gone.ts"; name the module of a workflow'],
    ['folder', '"folder" is no file; name the module of a workflow'],
    ['nothing.ts', '"nothing.ts" exports no workflow; export the machine that defineContext('],
    ['two.ts', '"two.ts" exports several workflows; choose one with --export: greeting, question'],
    [
      'lamp.ts',
      '"lamp.ts" exports the machine "lamp", but it is no workflow of this installation of callboard; make it',
    ],
    [
      'enum.ts',
      'Node.js only strips types: write it without enums, namespaces and parameter properties, or compile it',
    ],
    ['broken.ts', 'cannot load "broken.ts"'],
    ['throws.ts', 'cannot load "throws.ts": not today; see where with: node throws.ts'],
    ['missing-import.ts', 'correct the import or install the package'],
    ['notes.txt', 'only .js, .mjs, .cjs, .ts, .mts and .cts modules can be loaded'],
    ['node_modules/dep/index.ts', 'Node.js does not run TypeScript inside of node_modules; name a compiled module'],
  ])('%s', async (module, line) => {
    const folder = makeFolder(files)
    mkdirSync(join(folder, 'node_modules/dep'))
    writeFileSync(join(folder, 'node_modules/dep/index.ts'), GREETING)
    const { code, stdout, stderr } = await callboard(['run', module], folder)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(line)
    expect(stderr).toMatch(/^error: [^\n]+\n$/)
  })

  it.each([
    [['--export', 'farewell'], '"greeting.ts" exports no workflow "farewell"; it exports greeting'],
    [['--input', '{'], '--input is not JSON'],
    [['--input', '@gone.json'], 'cannot read the input "gone.json"; name a file after @'],
    [[], 'the input of greeting does not fit its schema'],
    [['--input', '{"name":3}'], 'the input of greeting does not fit its schema: at name'],
  ])('greeting.ts %j', async (args, line) => {
    const { code, stdout, stderr } = await callboard(['run', 'greeting.ts', ...args], makeFolder(files))
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(line)
    expect(stderr).toMatch(/^error: [^\n]+\n$/)
  })
})
