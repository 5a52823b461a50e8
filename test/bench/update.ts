// Question 1: what does an accepted update of one key cost, and does it matter how much is on the board?
// Baseline: one bare XState event whose `assign` counts.
import { createRuntime, defineContext, entry } from 'callboard'
import type { AgentContext, Conflict, Run, Runtime } from 'callboard'
import { assign, createActor, setup } from 'xstate'
import { z } from 'zod'
import { collectGarbage, measure } from './harness.ts'
import type { Contender, Timings } from './harness.ts'
import { loadLangGraph } from './peers.ts'
import type { LangGraphPeer, OpenGraph } from './peers.ts'
import { lineOf, missingLine } from './report.ts'
import type { Line, Question } from './report.ts'
import { Seats } from './seats.ts'

const SIZES = [10, 100, 1_000, 10_000] as const
const UPDATES = 1_000
/** A new run every few thousand updates, so that its ledger does not fill the memory. */
const SAMPLES_PER_RUN = 4
const BASELINE = 'bare XState event, assign of a counter'
const LANGGRAPH_UPDATES: Readonly<Record<(typeof SIZES)[number], number>> = { 10: 20, 100: 20, 1_000: 5, 10_000: 3 }
const SAMPLES_PER_GRAPH = 8

type Key = `item.${number}`
type Keys = readonly Key[]
type Values = Readonly<Record<`item.${string}`, number>>

const board = defineContext({ 'item.*': entry(z.number()) })
const seats = new Seats<AgentContext<Values, Values, unknown>>()
const writer = board.agent({ reads: ['item.*'], writes: ['item.*'], run: (context) => seats.sit(context) })
const workflow = board
  .workflow({ agents: { writer } })
  .createMachine({ id: 'updates', initial: 'open', states: { open: { invoke: { src: 'writer', id: 'writer' } } } })

export const updateQuestion: Question = {
  name: 'update',
  async answer() {
    const langGraph = await loadLangGraph()
    const contenders = [
      bareEvent(),
      ...SIZES.flatMap((size) => [
        callboard('outside', size, 'one key'),
        callboard('agent', size, 'one key'),
        callboard('outside', size, 'scattered'),
        callboard('agent', size, 'scattered'),
        spreadingAssign(size),
        ...(langGraph.kind === 'ready' ? [langGraphUpdates(langGraph.module, size)] : []),
      ]),
    ]
    const timings = await measure(contenders)
    const peerLines =
      langGraph.kind === 'ready'
        ? SIZES.map((size) => lineOf(timings, graphName(size), { baseline: BASELINE }))
        : [missingLine('LangGraph.js', langGraph.reason)]
    return [
      {
        title: 'One update of one key',
        operation:
          'one accepted update of one number, awaited before the next, on a board of so many entries: the same key each ' +
          'time, as the baseline counts in one place, or the keys in a scattered order, which also costs what is not in ' +
          'a cache (no limit).',
        lines: [
          lineOf(timings, BASELINE),
          ...authorLines(timings, 'outside', 'one key'),
          ...authorLines(timings, 'agent', 'one key'),
          ...authorLines(timings, 'outside', 'scattered'),
          ...authorLines(timings, 'agent', 'scattered'),
          ...SIZES.map((size) => lineOf(timings, spreadName(size), { baseline: BASELINE })),
          ...peerLines,
        ],
        notMeasured:
          'stores that write to a disk or over a network, large values, schemas more expensive than a number, waits and ' +
          'subscribers that an update would wake, several updates in flight. XState keeps no history and checks ' +
          'nothing; LangGraph.js saves a checkpoint in memory for every update, Callboard a record; one invoke() of its graph makes ' +
          'several updates (20, with 10,000 keys 3), and its cost is in the figures.',
      },
    ]
  },
}

function authorLines(timings: Timings, author: Author, order: Order): readonly Line[] {
  const name = (size: number): string => callboardName(author, size, order)
  const [smallest, largest] = [name(SIZES[0]), name(SIZES[3])]
  const limited = order === 'one key'
  return [
    ...SIZES.map((size) =>
      lineOf(timings, name(size), {
        baseline: BASELINE,
        ...(limited ? { limit: { kind: 'times', most: 3 } as const } : {}),
      }),
    ),
    lineOf(timings, largest, {
      name: `${author}, ${order}: 10,000 entries against 10`,
      baseline: smallest,
      ...(limited ? { limit: { kind: 'times', most: 1.6 } as const } : {}),
    }),
  ]
}

type Author = 'outside' | 'agent'
type Order = 'one key' | 'scattered'

const show = (size: number): string => size.toLocaleString('en')
const callboardName = (author: Author, size: number, order: Order): string =>
  `Callboard, ${author === 'outside' ? 'run.update()' : "agent's update()"}, ${order}, ${show(size)}`
const spreadName = (size: number): string => `XState, assign with object spread, ${show(size)}`
const graphName = (size: number): string => `LangGraph.js with MemorySaver, ${show(size)}`

/** Every size visits its keys in the same scattered order. */
const keysOf = (size: number): Keys => Array.from({ length: size }, (_, index) => `item.${index}` as const)
const keyAt = (keys: Keys, count: number): Key => keys[(count * 7919) % keys.length] as Key
const zeros = (keys: Keys): Values => Object.fromEntries(keys.map((key) => [key, 0]))

function bareEvent(): Contender {
  const machine = setup({ types: {} as { context: { count: number }; events: { type: 'count' } } }).createMachine({
    context: { count: 0 },
    on: { count: { actions: assign({ count: ({ context }) => context.count + 1 }) } },
  })
  const actor = createActor(machine).start()
  return {
    name: BASELINE,
    operations: UPDATES,
    run: (operations) => {
      const before = actor.getSnapshot().context.count
      for (let index = 0; index < operations; index++) actor.send({ type: 'count' })
      if (actor.getSnapshot().context.count !== before + operations) throw new Error('the machine did not count')
    },
    close: () => void actor.stop(),
  }
}

function spreadingAssign(size: number): Contender {
  const keys = keysOf(size)
  const machine = setup({
    types: {} as { context: { values: Values }; events: { type: 'put'; key: Key; value: number } },
  }).createMachine({
    context: { values: zeros(keys) },
    on: {
      put: { actions: assign({ values: ({ context, event }) => ({ ...context.values, [event.key]: event.value }) }) },
    },
  })
  const actor = createActor(machine).start()
  let count = 0
  return {
    name: spreadName(size),
    operations: Math.max(10, Math.round(UPDATES / Math.max(1, size / 20))),
    run: (operations) => {
      for (let index = 0; index < operations; index++) {
        count += 1
        actor.send({ type: 'put', key: keyAt(keys, count), value: count })
      }
      if (actor.getSnapshot().context.values[keyAt(keys, count)] !== count) throw new Error('the value did not arrive')
    },
    close: () => void actor.stop(),
  }
}

interface Open {
  readonly runtime: Runtime
  readonly run: Run
  readonly target: { update(changes: Values): Promise<{ readonly conflicts: readonly Conflict[] }> }
}

function callboard(author: Author, size: number, order: Order): Contender {
  const keys = keysOf(size)
  const keyOf = (number: number): Key => (order === 'one key' ? 'item.0' : keyAt(keys, number))
  let open: Open | undefined
  let samples = 0
  let count = 0
  // Made beforehand: V8 pays for a literal under a computed key when that key is new to it, whoever it is for.
  let changes: readonly Values[] = []
  return {
    name: callboardName(author, size, order),
    operations: UPDATES,
    prepare: async () => {
      changes = Array.from({ length: UPDATES }, () => ({ [keyOf(++count)]: count }))
      if (open !== undefined && samples++ % SAMPLES_PER_RUN !== 0) return
      await open?.runtime.close()
      const runtime = await createRuntime()
      const run = await runtime.start(workflow)
      const target = author === 'outside' ? run : seats.getOrThrow(run.id, 'writer')
      // By the same author: what an agent has not seen it would be in conflict with.
      await target.update(zeros(keys))
      open = { runtime, run, target }
      collectGarbage()
    },
    run: async () => {
      if (open === undefined) throw new TypeError('no run was prepared')
      const { run, target } = open
      let conflicts = 0
      for (const change of changes) conflicts += (await target.update(change)).conflicts.length
      if (conflicts > 0) throw new Error(`${conflicts} updates met a conflict`)
      if (run.get(keyOf(count)) !== count) throw new Error('the value did not arrive')
    },
    close: () => open?.runtime.close(),
  }
}

function langGraphUpdates(peer: LangGraphPeer, size: (typeof SIZES)[number]): Contender {
  let graph: OpenGraph | undefined
  let samples = 0
  return {
    name: graphName(size),
    operations: LANGGRAPH_UPDATES[size],
    prepare: async () => {
      if (graph !== undefined && samples++ % SAMPLES_PER_GRAPH !== 0) return
      graph = await peer.openGraph(keysOf(size))
      collectGarbage()
    },
    run: (operations) => graph?.update(operations),
  }
}
