// Runs the built command as its users do: in a folder with its own node_modules, from an argument list.
import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { onTestFinished } from 'vitest'
import { ROOT } from '../support/built-package.ts'

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Something that runs, told line by line what it writes to its standard output. */
export interface Running {
  readonly child: ChildProcessByStdio<Writable | null, Readable, Readable>
  readonly ended: Promise<Ended>
  /** Resolves when the standard output has this text; rejects when the program ends without it. */
  seen(text: string): Promise<void>
}

/** A folder of the given files in which `callboard` and `zod` are installed; deleted after the test. */
export function makeFolder(files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'callboard-cli-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(ROOT, join(folder, 'node_modules/callboard'))
  for (const name of ['zod', 'xstate'])
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name))
  for (const [file, content] of Object.entries({ 'package.json': '{"type":"module"}', ...files })) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), content)
  }
  return folder
}

/** Starts a script of this checkout with Node.js; nobody sits at its terminal. Its input stays open after the lines of it. */
export function start(
  script: string,
  args: readonly string[],
  {
    cwd,
    env = {},
    input,
  }: {
    readonly cwd: string
    readonly env?: Readonly<Record<string, string>>
    readonly input?: readonly string[]
  },
): Running {
  const child = spawn(process.execPath, [join(ROOT, script), ...args], {
    cwd,
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  }) as ChildProcessByStdio<Writable | null, Readable, Readable>
  for (const line of input ?? []) child.stdin?.write(`${line}\n`)
  const text = { stdout: '', stderr: '' }
  const { promise: ended, resolve } = Promise.withResolvers<Ended>()
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (chunk: string) => (text[stream] += chunk))
  }
  child.on('close', (code) => resolve({ code, ...text }))
  const seen = (wanted: string): Promise<void> =>
    new Promise((found, reject) => {
      const look = (): void => {
        if (text.stdout.includes(wanted)) found()
      }
      look()
      child.stdout.on('data', look)
      void ended.then(({ stdout, stderr }) => reject(new Error(`never wrote "${wanted}":\n${stdout}${stderr}`)))
    })
  return { child, ended, seen }
}

/** Runs `callboard` to its end. */
export function callboard(args: readonly string[], cwd: string = makeFolder()): Promise<Ended> {
  return start('dist/cli/main.js', args, { cwd }).ended
}

/** Two agents, one of which waits for the other; gives back a greeting. */
export const GREETING = `
import { defineContext, entry } from 'callboard'
import { z } from 'zod'

const board = defineContext({ name: entry(z.string()), greeting: entry(z.string()) })
const namer = board.agent({
  writes: ['name'],
  input: z.object({ name: z.string() }),
  run: async ({ input, update, progress }) => {
    for (let done = 1; done <= 8; done++) progress({ done, total: 8, message: 'letters' })
    await update({ name: input.name })
  },
})
const greeter = board.agent({
  reads: ['name'],
  writes: ['greeting'],
  run: async ({ waitFor, update }) => void (await update({ greeting: 'hello ' + (await waitFor('name')) })),
})
export const greeting = board
  .workflow({ input: z.object({ name: z.string() }), agents: { namer, greeter } })
  .createMachine({
    id: 'greeting',
    initial: 'working',
    states: {
      working: {
        invoke: [
          { src: 'greeter', onDone: 'greeted' },
          { src: 'namer', input: ({ context }) => context.input },
        ],
      },
      greeted: { type: 'final' },
    },
    output: ({ context }) => ({ text: context.board.get('greeting') }),
  })
`

/** Writes in three updates, one of them a secret, asks a person, and gives the answer back. */
export const DEAL = `
import { defineContext, entry, patch } from 'callboard'
import { z } from 'zod'

const board = defineContext({
  notes: entry(z.array(z.string()), { merge: 'union' }),
  draft: entry(z.object({ title: z.string(), pages: z.int() })),
  api_key: entry(z.string()),
  approval: entry(z.enum(['yes', 'no']), { outside: true }),
})
const writer = board.agent({
  reads: ['draft', 'notes'],
  writes: ['notes', 'draft', 'api_key'],
  async run({ step, update }) {
    await update({ api_key: await step('log in', () => 'opensesame-4711') })
    await update({ notes: ['first'], draft: { title: 'One', pages: 1 } })
    await update({ draft: patch({ pages: 2 }) })
  },
})
export const deal = board
  .workflow({ name: 'deal', agents: { writer, person: board.person('approval', { question: 'send it?' }) } })
  .createMachine({
    id: 'deal',
    initial: 'writing',
    states: {
      writing: { invoke: { src: 'writer', onDone: 'asking' } },
      asking: { invoke: { src: 'person', onDone: 'sent' } },
      sent: { type: 'final' },
    },
    output: ({ context }) => ({ approval: context.board.get('approval') }),
  })
`
/** What must never be shown of a deal. */
export const SECRET = 'opensesame-4711'

/** Asks a person and gives the answer back. */
export const QUESTION = `
import { defineContext, entry } from 'callboard'
import { z } from 'zod'

const board = defineContext({ colour: entry(z.enum(['red', 'green'])) })
export default board
  .workflow({ agents: { person: board.person('colour', { question: 'which colour?' }) } })
  .createMachine({
    id: 'question',
    initial: 'asking',
    states: { asking: { invoke: { src: 'person', onDone: 'answered' } }, answered: { type: 'final' } },
    output: ({ context }) => context.board.get('colour'),
  })
`

/** Invokes two child runs at once, each of which asks a person for a text. */
export const FAMILY = `
import { defineContext, entry } from 'callboard'
import { z } from 'zod'

const inner = defineContext({ name: entry(z.string()) })
const child = inner
  .workflow({ name: 'child', output: z.string(), agents: { person: inner.person('name', { question: 'whose?' }) } })
  .createMachine({
    id: 'child',
    initial: 'asking',
    states: { asking: { invoke: { src: 'person', onDone: 'end' } }, end: { type: 'final' } },
    output: ({ context }) => context.board.get('name') ?? '',
  })
const board = defineContext({})
const region = (id) => ({
  initial: 'on',
  states: { on: { invoke: { src: 'child', id, onDone: 'off' } }, off: { type: 'final' } },
})
export const family = board.workflow({ name: 'family', agents: { child } }).createMachine({
  id: 'family',
  type: 'parallel',
  states: { one: region('first'), two: region('second') },
})
`
