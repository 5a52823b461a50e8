import { createRuntime, defineContext, entry } from 'callboard'
import type { Runtime } from 'callboard'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { createDisplay, runInTerminal } from '../../src/cli/index.ts'
import { createTestTerminal } from './terminal.ts'
import type { TestTerminal } from './terminal.ts'

const board = defineContext({
  draft: entry(z.string()),
  text: entry(z.string()),
  colour: entry(z.enum(['red', 'green'])),
})

interface Stage {
  readonly terminal: TestTerminal
  readonly runtime: Runtime
}

async function createStage(options: Parameters<typeof createTestTerminal>[0]): Promise<Stage> {
  const terminal = createTestTerminal(options)
  const runtime = await createRuntime({ clock: terminal.clock })
  onTestFinished(() => runtime.close())
  return { terminal, runtime }
}

/** A writer that goes on when the test lets it, and an editor who waits for it. */
function createWriting(go: Promise<void>) {
  const writer = board.agent({
    writes: ['draft'],
    async run({ progress, update }) {
      progress({ done: 1, total: 4, message: 'first\u001B[2Jword\nof four' })
      await go
      await update({ draft: 'once' })
    },
  })
  const editor = board.agent({
    reads: ['draft'],
    writes: ['text'],
    run: async ({ waitFor, update }) => void (await update({ text: await waitFor('draft') })),
  })
  return board.workflow({ agents: { writer, editor } }).createMachine({
    id: 'writing',
    initial: 'working',
    states: {
      working: { invoke: [{ src: 'editor', onDone: 'written' }, { src: 'writer' }] },
      written: { type: 'final' },
    },
    output: ({ context }) => context.board.get('text'),
  })
}

const asking = board
  .workflow({ agents: { person: board.person('colour', { question: 'which colour?' }) } })
  .createMachine({
    id: 'asking',
    initial: 'asked',
    states: { asked: { invoke: { src: 'person', onDone: 'answered' } }, answered: { type: 'final' } },
    output: ({ context }) => context.board.get('colour'),
  })

describe('without a terminal', () => {
  it('tells in lines who waits for what, and who could write it', async () => {
    const { terminal, runtime } = await createStage({ isInteractive: false })
    const { promise: go, resolve } = Promise.withResolvers<void>()
    const finished = runInTerminal(runtime, createWriting(go), { input: undefined, terminal, runId: 'run_1' })
    await terminal.clock.advance(1500)
    expect(terminal.written().split('\n')).toEqual([
      '   0.0 s  writing began as run_1',
      '   0.0 s  phase working',
      '   0.0 s  editor began',
      '   0.0 s  writer began',
      '   0.0 s  writer 1/4 first [2Jword of four',
      '   0.0 s  editor waits for draft (writer)',
      '',
    ])
    resolve()
    const { outcome } = await finished
    expect(outcome).toEqual({ kind: 'done', output: 'once' })
    expect(terminal.written()).toContain('   1.5 s  editor wrote text\n')
  })

  it('writes nothing at all when it is to be quiet', async () => {
    const { terminal, runtime } = await createStage({ isInteractive: true })
    const { outcome } = await runInTerminal(runtime, createWriting(Promise.resolve()), {
      input: undefined,
      terminal,
      quiet: true,
    })
    expect(outcome.kind).toBe('done')
    expect(terminal.written()).toBe('')
  })

  it('ends with what it waits for when nothing goes on any more', async () => {
    const { terminal, runtime } = await createStage({ isInteractive: false })
    const finished = runInTerminal(runtime, asking, { input: undefined, terminal })
    await terminal.seen('asks a person: which colour?')
    terminal.idle()
    const { outcome } = await finished
    expect(outcome).toMatchObject({ kind: 'waiting', requests: [{ agent: 'person', question: 'which colour?' }] })
  })
})

describe('on a terminal', () => {
  it('draws one block and keeps it in its place', async () => {
    const { terminal, runtime } = await createStage({ isInteractive: true })
    const { promise: go, resolve } = Promise.withResolvers<void>()
    terminal.out.write('$ callboard run\n')
    const finished = runInTerminal(runtime, createWriting(go), { input: undefined, terminal, runId: 'run_1' })
    await terminal.clock.advance(1200)
    expect(terminal.screen()).toEqual([
      '$ callboard run',
      'writing run_1  working  1.2 s',
      '  … editor  waits for draft (writer)',
      '  ● writer  ████░░░░░░░░░░░░ 1/4 first [2Jword of four',
    ])
    resolve()
    await finished
    expect(terminal.screen()).toEqual([
      '$ callboard run',
      'writing run_1  written  1.2 s',
      '  ✔ editor  wrote text',
      '  ✔ writer  wrote draft',
    ])
  })

  it('leaves out agents that have ended where there is too little room', async () => {
    const { terminal, runtime } = await createStage({ isInteractive: true, rows: 5 })
    const names = ['a', 'b', 'c', 'd', 'e'] as const
    const { promise: go, resolve } = Promise.withResolvers<void>()
    const agents = Object.fromEntries(
      names.map((name) => [name, board.agent({ run: async () => (name === 'e' ? go : undefined) })]),
    )
    const states = Object.fromEntries(
      names.map((name) => [
        name,
        { initial: 'on', states: { on: { invoke: { src: name, onDone: 'off' } }, off: { type: 'final' } } },
      ]),
    )
    const crowd = board.workflow({ agents }).createMachine({ id: 'crowd', type: 'parallel', states } as never)
    const finished = runInTerminal(runtime, crowd, { input: undefined, terminal, runId: 'run_1' })
    await terminal.clock.advance(100)
    expect(terminal.screen()).toHaveLength(4)
    expect(terminal.screen().at(-1)).toBe('  ● e')
    resolve()
    await finished
  })

  it('asks a person, takes the beginning of a choice, and asks again for what is refused', async () => {
    const { terminal, runtime } = await createStage({ isInteractive: true })
    const finished = runInTerminal(runtime, asking, { input: undefined, terminal })
    await terminal.seen('person asks: which colour? [red/green]')
    terminal.type('blue\r')
    await terminal.seen('the answer was not accepted')
    terminal.type('GR\r')
    expect((await finished).outcome).toEqual({ kind: 'done', output: 'green' })
  })

  it('draws nothing while a person types', async () => {
    const { terminal, runtime } = await createStage({ isInteractive: true })
    const finished = runInTerminal(runtime, asking, { input: undefined, terminal })
    await terminal.seen('person asks')
    const before = terminal.written()
    await terminal.clock.advance(5000)
    expect(terminal.written()).toBe(before)
    terminal.type('red\r')
    await finished
  })

  it('takes Ctrl-C at a question for what it is', async () => {
    const { terminal, runtime } = await createStage({ isInteractive: true })
    const finished = runInTerminal(runtime, asking, { input: undefined, terminal })
    await terminal.seen('person asks')
    terminal.type('\u0003')
    const { run, outcome } = await finished
    expect(outcome).toEqual({ kind: 'ended', signal: 'SIGINT' })
    await expect(run.done).rejects.toThrow('was stopped')
  })

  it('leaves nothing behind on the clock when it is closed, also twice', async () => {
    const { terminal, runtime } = await createStage({ isInteractive: true })
    const display = createDisplay(runtime, terminal)
    expect(terminal.clock.armed).toBe(1)
    display.close()
    display.close()
    expect(terminal.clock.armed).toBe(0)
  })
})

it('lets agents tidy up after a signal: the run is stopped, not forgotten', async () => {
  const { terminal, runtime } = await createStage({ isInteractive: false })
  const { promise: tidied, resolve } = Promise.withResolvers<string>()
  const agent = board.agent({
    run: ({ signal }) =>
      new Promise<void>((end) => {
        signal.addEventListener('abort', () => {
          resolve('tidied up')
          end()
        })
      }),
  })
  const machine = board.workflow({ agents: { agent } }).createMachine({
    id: 'endless',
    initial: 'on',
    states: { on: { invoke: { src: 'agent' } } },
  })
  const finished = runInTerminal(runtime, machine, { input: undefined, terminal })
  await terminal.seen('agent began')
  terminal.signal('SIGTERM')
  expect((await finished).outcome).toEqual({ kind: 'ended', signal: 'SIGTERM' })
  expect(await tidied).toBe('tidied up')
})
