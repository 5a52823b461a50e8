// Question 3: what do 100 agents cost that read their views after every update?
// Baseline: an update is a write into a Map, and each of 100 agents compares the version of its key with the one it saw.
import { createRuntime, defineContext, entry } from 'callboard'
import type { AgentContext, AgentLogic, Run, Runtime, View } from 'callboard'
import { z } from 'zod'
import { collectGarbage, measure } from './harness.ts'
import type { Contender } from './harness.ts'
import { lineOf } from './report.ts'
import type { Question } from './report.ts'
import { Seats } from './seats.ts'

const AGENTS = 100
const SEEN_BY_EACH = 10
const UPDATES = 100
const BASELINE = 'a Map write and 100 version checks'

type Values = Readonly<Record<`part.${string}` | `shared.${string}`, number>>
type Context = AgentContext<Values, Values, unknown>

/** Agent 7 reads nine entries of its own, 7.0 to 7.8, and one that all agents share; 99 entries have no reader. */
const board = defineContext({
  'part.*': entry(z.number()),
  'shared.*': entry(z.number()),
  'other.*': entry(z.number()),
})
const seats = new Seats<Context>()
const numbers = Array.from({ length: AGENTS }, (_, index) => index)
const agents: Readonly<Record<string, AgentLogic<unknown, void>>> = Object.fromEntries(
  numbers.map((number) => [
    `reader${number}`,
    board.agent({
      role: 'reader',
      reads: [`part.${number}.*`, 'shared.*'],
      run: (context) => seats.sit(context),
    }),
  ]),
)
const workflow = board.workflow({ agents }).createMachine({
  id: 'views',
  initial: 'open',
  states: { open: { invoke: Object.keys(agents).map((name) => ({ src: name, id: name })) } },
})

export const viewsQuestion: Question = {
  name: 'views',
  async answer() {
    const limit = { kind: 'times', most: 10 } as const
    const timings = await measure([
      versionChecks(),
      callboard({ name: ONE_INSIDE, key: ownKey, read: readInside, affected: 1 }),
      callboard({ name: ONE_SAME, key: () => 'part.0.0', read: readInside, affected: 1 }),
      callboard({ name: NOBODY_SAME, key: () => 'other.0', read: readInside, affected: 0 }),
      callboard({ name: NOBODY_INSIDE, key: othersKey, read: readInside, affected: 0 }),
      callboard({ name: ALL_INSIDE, key: sharedKey, read: readInside, affected: AGENTS }),
      callboard({ name: ONE_OUTSIDE, key: ownKey, read: readOutside, affected: 1 }),
      callboard({ name: UNREAD, key: ownKey, read: () => AGENTS * SEEN_BY_EACH, affected: 1 }),
    ])
    return [
      {
        title: 'An update, then 100 agents read their views',
        operation:
          'one update of one key, then view.current.entries() by each of 100 agents; each sees 10 of 1,000 entries, ' +
          'picked by its reads and by a filter for its role, in order. As in the first question the limit is for an ' +
          'update of the same key each time; keys in scattered order show what caches and garbage collection add.',
        lines: [
          lineOf(timings, BASELINE),
          lineOf(timings, ONE_SAME, { baseline: BASELINE, limit }),
          lineOf(timings, NOBODY_SAME, { baseline: BASELINE, limit }),
          lineOf(timings, ONE_INSIDE, { baseline: BASELINE }),
          lineOf(timings, NOBODY_INSIDE, { baseline: BASELINE }),
          lineOf(timings, ALL_INSIDE, { baseline: BASELINE }),
          lineOf(timings, ONE_OUTSIDE, { baseline: BASELINE }),
          lineOf(timings, UNREAD, { baseline: BASELINE }),
        ],
        notMeasured:
          'the first view of an agent, rendering for a prompt, entries of private and group scope, more entries in ' +
          'sight. Before every sample it is checked that exactly the agents concerned got another view and that ' +
          'everybody else holds the very same object.',
      },
    ]
  },
}

const ONE_SAME = '1 agent of 100 concerned'
const NOBODY_SAME = 'no agent concerned'
const ONE_INSIDE = '1 concerned, keys in scattered order'
const NOBODY_INSIDE = 'none concerned, keys in scattered order'
const ALL_INSIDE = 'all 100 concerned'
const ONE_OUTSIDE = '1 concerned, read by run.view(id) from outside'
const UNREAD = '1 concerned, nobody reads: the update alone'

const ownKey = (count: number): string => `part.${count % AGENTS}.${count % (SEEN_BY_EACH - 1)}`
const sharedKey = (): string => 'shared.0'
const othersKey = (count: number): string => `other.${count % (AGENTS - 1)}`

function versionChecks(): Contender {
  const versions = new Map<string, number>()
  const watchers = numbers.map((number) => ({ key: ownKey(number), seen: 0 }))
  let updates = 0
  return {
    name: BASELINE,
    operations: UPDATES * 10,
    run: (operations) => {
      let concerned = 0
      for (let index = 0; index < operations; index++) {
        updates += 1
        const key = watchers[index % AGENTS]?.key ?? ''
        versions.set(key, (versions.get(key) ?? 0) + 1)
        for (const watcher of watchers) {
          const version = versions.get(watcher.key) ?? 0
          if (version === watcher.seen) continue
          watcher.seen = version
          concerned += 1
        }
      }
      if (concerned !== operations) throw new Error('an update went unnoticed')
    },
  }
}

interface Open {
  readonly runtime: Runtime
  readonly run: Run
  readonly contexts: readonly Context[]
}

interface Case {
  readonly name: string
  readonly key: (count: number) => string
  /** Reads every agent's entries and counts them. */
  readonly read: (open: Open) => number
  /** How many agents get another view by an update. */
  readonly affected: number
}

function callboard({ name, key, read, affected }: Case): Contender {
  let open: Open | undefined
  let count = 0
  return {
    name,
    operations: UPDATES,
    prepare: async () => {
      if (open === undefined) {
        open = await openRun()
        collectGarbage()
      }
      count += 1
      await checkViews(open, { key: key(count), value: count, affected })
    },
    run: async (operations) => {
      if (open === undefined) throw new TypeError('no run was prepared')
      let seen = 0
      for (let index = 0; index < operations; index++) {
        count += 1
        await open.run.update({ [key(count)]: count })
        seen += read(open)
      }
      if (seen !== operations * AGENTS * SEEN_BY_EACH) throw new Error(`${seen} entries were seen`)
    },
    close: () => open?.runtime.close(),
  }
}

async function openRun(): Promise<Open> {
  const runtime = await createRuntime()
  runtime.filters.forRole('reader', ({ priority }) => priority !== 'low')
  const run = await runtime.start(workflow)
  const own = numbers.flatMap((number) =>
    Array.from({ length: SEEN_BY_EACH - 1 }, (_, index) => `part.${number}.${index}`),
  )
  const others = numbers.slice(1).map((_, index) => othersKey(index))
  await run.update(Object.fromEntries([...own, sharedKey(), ...others].map((key) => [key, 0])))
  return { runtime, run, contexts: numbers.map((number) => seats.getOrThrow(run.id, `reader${number}`)) }
}

function readInside({ contexts }: Open): number {
  let seen = 0
  for (const { view } of contexts) seen += view.current.entries().length
  return seen
}

function readOutside({ run }: Open): number {
  let seen = 0
  for (const number of numbers) seen += run.view(`reader${number}`).entries().length
  return seen
}

/** Whoever is not concerned must hold the very same view after an update. */
async function checkViews(
  { run, contexts }: Open,
  { key, value, affected }: { readonly key: string; readonly value: number; readonly affected: number },
): Promise<void> {
  const before: readonly View<Values>[] = contexts.map(({ view }) => view.current)
  await run.update({ [key]: value })
  const changed = contexts.filter(({ view }, index) => view.current !== before[index])
  if (changed.length !== affected) throw new Error(`${changed.length} views changed by ${key}, not ${affected}`)
  const newest = changed.every(({ view }) => {
    const first = view.current.entries()[0]
    return first?.key === key && first.value === value
  })
  if (!newest) throw new Error(`${key} is not the first of the entries after its update`)
}
