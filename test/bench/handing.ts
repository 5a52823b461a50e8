// Question 5: what does it cost to hand a context of 180 KB to four agents after an update?
// Baseline: a structuredClone of the values for each of them.
import { createRuntime, defineContext, entry } from 'callboard'
import type { AgentContext, AgentLogic } from 'callboard'
import { z } from 'zod'
import { measure, median } from './harness.ts'
import type { Contender } from './harness.ts'
import { lineOf } from './report.ts'
import type { Limit, LineOptions, Question } from './report.ts'
import { Seats } from './seats.ts'

const AGENTS = ['planner', 'researcher', 'coder', 'reviewer'] as const
const CONTEXT_BYTES = 180_000
const UPDATES = 200
const LIMIT: Limit = { kind: 'time', mostNs: 8_000 }
const CLONES = 'structuredClone for each agent, 18 entries of 10 KB'

interface Part {
  readonly revision: number
  readonly text: string
}

type Values = Readonly<Record<`part.${string}`, Part>>
type Context = AgentContext<Values, Values, unknown>
/** Answers whether the agent holds that many entries. */
type Read = (context: Context, entries: number) => boolean

const board = defineContext({ 'part.*': entry(z.object({ revision: z.number(), text: z.string() })) })
const seats = new Seats<Context>()
const agents: Readonly<Record<string, AgentLogic<unknown, void>>> = Object.fromEntries(
  AGENTS.map((name) => [name, board.agent({ reads: ['part.*'], run: (context) => seats.sit(context) })]),
)
const workflow = board.workflow({ agents }).createMachine({
  id: 'handing',
  initial: 'open',
  states: { open: { invoke: AGENTS.map((name) => ({ src: name, id: name })) } },
})

const readEntries: Read = ({ view }, entries) => view.current.entries().length === entries
const readObject: Read = ({ view }, entries) => view.current.toObject()[`part.${entries - 1}`] !== undefined

const CASES = [
  { name: 'entries(), 18 entries of 10 KB', entries: 18, read: readEntries, limited: true },
  { name: 'toObject(), 18 entries of 10 KB', entries: 18, read: readObject, limited: true },
  { name: 'entries(), 180 entries of 1 KB', entries: 180, read: readEntries, limited: false },
  { name: 'toObject(), 180 entries of 1 KB', entries: 180, read: readObject, limited: false },
] as const

export const handingQuestion: Question = {
  name: 'handing',
  async answer() {
    const contenders = await Promise.all(CASES.map(callboard))
    const timings = await measure([clones(), ...contenders])
    return [
      {
        title: 'Handing 180 KB to four agents',
        operation: 'after one update, all entries of the context in the hands of four agents, frozen and in order.',
        lines: [
          lineOf(timings, CLONES),
          ...CASES.map(({ name, limited }) =>
            lineOf(timings, name, { baseline: CLONES, ...(limited ? { limit: LIMIT } : {}) } satisfies LineOptions),
          ),
        ],
        notMeasured:
          'the update itself, the first view of an agent, values that cannot be frozen (Date, Map, Set, typed arrays) ' +
          'and are copied when handed out. The cost is of entries, not of bytes; the lines with 180 small entries ' +
          'show it and have no limit. After other work, when the caches are cold, it takes about twice as long.',
      },
    ]
  },
}

function textOf(length: number): string {
  return 'What the agents know of the code they work on. '.repeat(Math.ceil(length / 47)).slice(0, length)
}

function clones(): Contender {
  const text = textOf(CONTEXT_BYTES / 18)
  const values = Object.fromEntries(Array.from({ length: 18 }, (_, index) => [`part.${index}`, { revision: 0, text }]))
  return {
    name: CLONES,
    operations: UPDATES,
    run: (operations) => {
      for (let index = 0; index < operations; index++) {
        for (const _agent of AGENTS) {
          if (Object.keys(structuredClone(values)).length !== 18) throw new Error('something was lost')
        }
      }
    },
  }
}

async function callboard({
  name,
  entries,
  read,
}: {
  readonly name: string
  readonly entries: number
  readonly read: Read
}): Promise<Contender> {
  const text = textOf(CONTEXT_BYTES / entries)
  const runtime = await createRuntime()
  const run = await runtime.start(workflow)
  const parts = Array.from({ length: entries }, (_, index) => [`part.${index}`, { revision: 0, text }])
  await run.update(Object.fromEntries(parts) as Values)
  const contexts = AGENTS.map((agent) => seats.getOrThrow(run.id, agent))
  let revision = 0
  return {
    name,
    operations: UPDATES,
    // The update before each handing is not what is asked, so the contender times the handing itself.
    run: async (operations) => {
      const times: number[] = []
      for (let index = 0; index < operations; index++) {
        revision += 1
        await run.update({ [`part.${revision % entries}`]: { revision, text } })
        const began = performance.now()
        let handed = 0
        for (const context of contexts) if (read(context, entries)) handed += 1
        times.push((performance.now() - began) * 1e6)
        if (handed !== AGENTS.length) throw new Error('something is missing')
      }
      return median(times)
    },
    close: () => runtime.close(),
  }
}
