// Every mistake a user will make is a compile error at the place where it was made. Only compiled, never run.
import { expectTypeOf } from 'vitest'
import { and, assign, enqueueActions, fromPromise, raise } from 'xstate'
import { z } from 'zod'
import { createRuntime, defineContext, drop, entry, patch, put } from 'callboard'
import type { Accepted, UpdateResult } from 'callboard'

const board = defineContext({
  'plan.title': entry(z.string()),
  'plan.steps': entry(z.array(z.string()), { dependsOn: ['plan.title'], default: [] }),
  budget: entry(z.int(), { default: 3 }),
  settings: entry(z.object({ theme: z.enum(['light', 'dark']), size: z.number() })),
  'notes.*': entry(z.object({ text: z.string() })),
})

// ---- the catalogue

defineContext({
  title: entry(z.string()),
  // @ts-expect-error: depends on a key that the catalogue does not have
  steps: entry(z.array(z.string()), { dependsOn: ['titel'] }),
})
// @ts-expect-error: a default that is not a number
entry(z.int(), { default: 'three' })
// @ts-expect-error: an unknown scope
entry(z.int(), { scope: 'team' })
// @ts-expect-error: an unknown priority
entry(z.int(), { priority: 'urgent' })
// @ts-expect-error: an unknown option
entry(z.int(), { owner: 'me' })

defineContext({
  name: entry(z.string().trim()),
  count: entry(z.coerce.number()),
  list: entry(z.array(z.string()).readonly()),
  known: entry(z.record(z.string(), z.int()).readonly(), { dependsOn: ['name'] }),
  at: entry(z.union([z.date(), z.iso.datetime().transform((text) => new Date(text))])),
  id: entry(z.string().brand<'id'>()),
  kept: entry(z.int().catch(0)),
  any: entry(z.any()),
  // @ts-expect-error: the length of a text is no text
  length: entry(z.string().transform((text) => text.length)),
  // @ts-expect-error: at any depth
  page: entry(z.object({ words: z.array(z.string().transform((text) => text.length)) })),
})

// ---- limits

// @ts-expect-error: an unknown limit
board.workflow({ limits: { maxKeys: 3 } })
// @ts-expect-error: a summary is written to a key of the catalogue
board.workflow({ limits: { compact: ({ update }) => void update({ summary: 'all in all' }) } })

// ---- reads and writes

// @ts-expect-error: no key and no prefix of that name
board.agent({ reads: ['plam.*'], run: () => {} })
// @ts-expect-error: no key of that name
board.agent({ writes: ['plan.titel'], run: () => {} })
// @ts-expect-error: an agent does something
board.agent({ reads: ['*'] })

// ---- an agent's own context

export const writer = board.agent({
  reads: ['plan.*', 'budget', 'notes.*'],
  writes: ['plan.steps', 'settings', 'notes.*', 'budget'],
  input: z.object({ name: z.string(), times: z.int().default(1) }),
  async run({ input, view, waitFor, waitForAll, waitForAny, update, tryUpdate, step, ask, on }) {
    expectTypeOf(input).toEqualTypeOf<{ name: string; times: number }>()
    // @ts-expect-error: not in the input's schema
    void input.nmae

    expectTypeOf(view.get('plan.title')).toEqualTypeOf<string | undefined>()
    expectTypeOf(view.getOrThrow('plan.steps')).toEqualTypeOf<string[]>()
    expectTypeOf(view.entry('budget')?.value).toEqualTypeOf<number | undefined>()
    expectTypeOf(view.get('notes.anything')).toEqualTypeOf<{ text: string } | undefined>()
    expectTypeOf(view.current.get('budget')).toEqualTypeOf<number | undefined>()
    // @ts-expect-error: in the catalogue, but not in the reads
    view.get('settings')
    // @ts-expect-error: not in the catalogue
    view.get('plan.titel')
    // @ts-expect-error: not in the reads
    view.has('settings')
    // @ts-expect-error: a view cannot be written
    view.seq = 3

    expectTypeOf(await waitFor('plan.title')).toBeString()
    expectTypeOf(await waitFor(['plan.title', 'budget'])).toEqualTypeOf<{
      readonly 'plan.title': string
      readonly budget: number
    }>()
    expectTypeOf(await waitForAll(['plan.title', 'budget'])).toEqualTypeOf<{
      readonly 'plan.title': string
      readonly budget: number
    }>()
    // @ts-expect-error: not in the reads
    await waitFor('settings')
    // @ts-expect-error: not in the catalogue
    await waitFor(['plan.title', 'nope'])
    // @ts-expect-error: not in the reads
    await waitForAll(['plan.title', 'settings'])
    // @ts-expect-error: not in the reads
    await waitForAny(['settings'])
    // @ts-expect-error: an unknown option
    await waitFor('budget', { timeout: 5 })

    const first = await waitForAny(['plan.title', 'budget'])
    if (first.key === 'budget') expectTypeOf(first.value).toBeNumber()
    else expectTypeOf(first.value).toBeString()

    expectTypeOf(await waitFor((now) => (now.get('budget') ?? 0) > 3)).toEqualTypeOf<true>()
    expectTypeOf(await waitFor((now) => now.get('plan.title'))).toBeString()
    expectTypeOf(await waitFor((now) => now.has('budget') && { at: now.seq })).toEqualTypeOf<{ at: number }>()
    // @ts-expect-error: not in the reads
    await waitFor((now) => now.get('settings'))

    expectTypeOf(await update({ 'plan.steps': ['a'] })).toEqualTypeOf<Accepted>()
    expectTypeOf(await tryUpdate({ 'plan.steps': ['a'] })).toEqualTypeOf<UpdateResult>()
    await update({ 'notes.anything at all': { text: 'x' }, budget: 3 })
    await update({ 'plan.steps': put(['a'], { ttlMs: 5 }), settings: patch({ theme: 'dark' }), budget: drop() })
    await update({ settings: put({ theme: 'light', size: 1 }) })
    // @ts-expect-error: in the reads, but not in the writes
    await update({ 'plan.title': 'x' })
    // @ts-expect-error: not in the catalogue
    await update({ 'plan.stepz': ['a'] })
    // @ts-expect-error: not a list
    await update({ 'plan.steps': 'a' })
    // @ts-expect-error: not a list of texts
    await update({ 'plan.steps': put([1]) })
    // @ts-expect-error: not a theme
    await update({ settings: patch({ theme: 'blue' }) })
    // @ts-expect-error: not a field
    await update({ settings: patch({ colour: 'blue' }) })
    // @ts-expect-error: only a part; patch() says so
    await update({ settings: { theme: 'dark' } })
    // @ts-expect-error: the members of a family have one type
    await update({ 'notes.anything': { txt: 'x' } })
    // @ts-expect-error: an unknown option of put
    await update({ budget: put(3, { ttl: 5 }) })

    expectTypeOf(await step('count', () => 3)).toBeNumber()
    expectTypeOf(await step('load', async () => ({ rows: [1] }))).toEqualTypeOf<{ rows: number[] }>()
    // @ts-expect-error: an unknown option
    await step('count', () => 3, { retry: 2 })

    expectTypeOf(await ask('plan.title', { question: 'Which?' })).toBeString()
    // @ts-expect-error: an agent reads what it asks for
    await ask('settings')

    on(['plan.*', 'budget'], ({ key, version, by }) => {
      expectTypeOf(key).toBeString()
      expectTypeOf(version).toBeNumber()
      expectTypeOf(by).toBeString()
    })
    return { pages: 5 }
  },
})

/** Neither reads nor writes: everything is out of reach. */
export const blind = board.agent({
  async run({ view, update }) {
    // @ts-expect-error: it reads nothing
    view.get('budget')
    // @ts-expect-error: it writes nothing
    await update({ budget: 1 })
  },
})

/** `*` is everything. */
export const all = board.agent({
  reads: ['*'],
  writes: ['*'],
  async run({ view, update }) {
    expectTypeOf(view.get('settings')?.size).toEqualTypeOf<number | undefined>()
    await update({ budget: 1, 'plan.title': 'x' })
    // @ts-expect-error: not in the catalogue
    view.get('nope')
  },
})

// ---- families

const families = defineContext({
  goal: entry(z.string()),
  'task.*': entry(z.object({ title: z.string() })),
  'task.count': entry(z.number()),
  'note.*': entry(z.string()),
  'note.flag.*': entry(z.boolean()),
})
declare const name: string

/** An exact key wins over the family it is in. */
families.agent({
  reads: ['*'],
  writes: ['*'],
  async run({ view, waitFor, update }) {
    expectTypeOf(view.get('task.count')).toEqualTypeOf<number | undefined>()
    expectTypeOf(view.toObject()['task.count']).toEqualTypeOf<number | undefined>()
    expectTypeOf(await waitFor('task.count')).toEqualTypeOf<number>()
    // The key may be that of the count.
    expectTypeOf(view.get(`task.${name}`)).toEqualTypeOf<number | { title: string } | undefined>()
    expectTypeOf(view.get('note.flag.on')).toExtend<boolean | undefined>()
    await update({ 'task.count': 3, 'task.one': { title: 'x' }, 'note.one': 'x', 'note.flag.on': true })
    // A computed key could be one of any family, if nothing says of which.
    const tasks: Record<`task.${string}`, { title: string }> = { [`task.${name}`]: { title: 'x' } }
    const notes: Record<`note.${string}`, string> = Object.fromEntries([name].map((id) => [`note.${id}`, 'x']))
    await update(tasks)
    await update({ ...tasks, ...notes, goal: 'x' })
    // @ts-expect-error: the count is a number, whatever the family is
    await update({ 'task.count': { title: 'x' } })
    const wrong: Record<`task.${string}`, { titel: string }> = { [`task.${name}`]: { titel: 'x' } }
    // @ts-expect-error: not a value of the family
    await update(wrong)
    // @ts-expect-error: not in the catalogue
    view.get('tusk.one')
  },
})

/** What is named of a family is what can be reached. */
families.agent({
  reads: ['task.count', 'task.one', 'note.old.*', 'note.flag.on'],
  writes: ['task.count', 'task.sub.*'],
  async run({ view, waitForAll, update }) {
    expectTypeOf(view.get('task.count')).toEqualTypeOf<number | undefined>()
    expectTypeOf(view.get('note.flag.on')).toExtend<boolean | undefined>()
    expectTypeOf(view.get('note.old.one')).toEqualTypeOf<string | boolean | undefined>()
    expectTypeOf(await waitForAll(['task.count'])).toEqualTypeOf<{ readonly 'task.count': number }>()
    await update({ 'task.count': 3, 'task.sub.one': { title: 'x' } })
    await update({ [`task.sub.${name}`]: { title: 'x' } })
    // @ts-expect-error: in the family, but not in the reads
    view.get('task.two')
    // @ts-expect-error: outside the part that it reads
    view.get('note.new.one')
    // @ts-expect-error: in the family, but not in the writes
    await update({ 'task.one': { title: 'x' } })
    // @ts-expect-error: the count is a number
    await update({ 'task.count': { title: 'x' } })
  },
})
families.workflow().createMachine({
  entry: [
    families.write({ 'task.count': 3, 'task.one': { title: 'x' } }),
    families.write(() => ({ 'task.count': 3 })),
    // @ts-expect-error: the count is a number
    families.write({ 'task.count': { title: 'x' } }),
  ],
  on: { go: { guard: families.when('task.count', (count) => count > 3) } },
})

/** A board that takes any key may know some of them. */
const open = defineContext({ '*': entry(z.unknown()), goal: entry(z.string()) })
open.agent({
  reads: ['*'],
  writes: ['draft.*', 'goal'],
  async run({ view, update }) {
    expectTypeOf(view.get('goal')).toEqualTypeOf<string | undefined>()
    expectTypeOf(view.get('whatever')).toBeUnknown()
    await update({ 'draft.one': 3, goal: 'x' })
    // @ts-expect-error: not a text
    await update({ goal: 3 })
    // @ts-expect-error: not in the writes
    await update({ plan: 3 })
  },
})

// ---- what a schema fills in

const filled = defineContext({
  config: entry(z.object({ name: z.string(), retries: z.int().default(3) })),
  'page.*': entry(z.object({ tags: z.array(z.string()).default([]) })),
  list: entry(z.array(z.string()).readonly()),
})
const filling = filled.agent({
  reads: ['*'],
  writes: ['*'],
  async run({ view, update }) {
    expectTypeOf(view.getOrThrow('config')).toEqualTypeOf<{ name: string; retries: number }>()
    await update({ config: { name: 'x' }, 'page.one': {} })
    await update({ config: put({ name: 'x' }), 'page.one': patch({ tags: ['x'] }) })
    await update({ config: view.getOrThrow('config'), list: view.getOrThrow('list') })
    // @ts-expect-error: the name is not filled in
    await update({ config: { retries: 1 } })
    // @ts-expect-error: not a number
    await update({ config: { name: 'x', retries: 'three' } })
  },
})
const fills = filled
  .workflow({
    agents: { filling },
    limits: { maxEntries: 3, compact: ({ update }) => void update({ config: { name: 'x' } }) },
    actions: { fill: filled.write({ config: { name: 'x' } }) },
  })
  .createMachine({
    entry: ['fill', filled.write({ config: ({ event }) => ({ name: event.type }) })],
    exit: filled.write(() => ({ config: { name: 'x' } })),
    on: { go: { guard: ({ context }) => (context.board.get('config')?.retries ?? 0) > 3 } },
  })
export async function runFilling(): Promise<void> {
  const started = await (await createRuntime()).start(fills)
  await started.update({ config: { name: 'x' } })
  expectTypeOf(started.get('config')).toEqualTypeOf<{ name: string; retries: number } | undefined>()
  // @ts-expect-error: the name is not filled in
  await started.update({ config: { retries: 1 } })
}

// ---- the workflow

const looksUp = fromPromise<number, { readonly id: string }>(async () => 1)
const agents = { writer, all, looksUp, person: board.person('plan.title') }

board.workflow({ agents }).createMachine({
  // @ts-expect-error: no agent of that name
  invoke: { src: 'wrtier' },
})
board.workflow({ agents }).createMachine({
  // @ts-expect-error: the agent needs a name in its input
  invoke: { src: 'writer', input: { times: 1 } },
})
board.workflow({ agents }).createMachine({
  // @ts-expect-error: the promise needs an id that is a text
  invoke: { src: 'looksUp', input: { id: 7 } },
})
board.workflow({ agents }).createMachine({
  initial: 'a',
  states: {
    a: {
      invoke: [
        {
          src: 'writer',
          id: 'writer',
          input: { name: 'x' },
          onDone: { actions: ({ event }) => expectTypeOf(event.output).toEqualTypeOf<{ pages: number }>() },
          onError: { actions: ({ event }) => expectTypeOf(event.error).toBeUnknown() },
        },
        {
          src: 'looksUp',
          id: 'looksUp',
          input: { id: 'x' },
          onDone: { actions: ({ event }) => expectTypeOf(event.output).toBeNumber() },
        },
        {
          src: 'person',
          id: 'person',
          onDone: { actions: ({ event }) => expectTypeOf(event.output).toBeString() },
        },
      ],
    },
  },
})

board.workflow().createMachine({
  entry: [
    board.write({ budget: 3, 'notes.x': { text: 'y' }, 'plan.title': drop() }),
    board.write({ budget: ({ context }) => (context.board.get('budget') ?? 0) + 1 }),
    board.write(({ event }) => ({ 'plan.title': event.type })),
    // @ts-expect-error: not in the catalogue
    board.write({ bugdet: 3 }),
    // @ts-expect-error: not a number
    board.write({ budget: 'three' }),
    // @ts-expect-error: does not give a number
    board.write({ budget: () => 'three' }),
  ],
  on: {
    go: { guard: board.when('budget', (budget) => budget > 3) },
    // @ts-expect-error: not in the catalogue
    stop: { guard: board.when('bugdet') },
    // @ts-expect-error: a number has no length
    stay: { guard: board.when('budget', (budget) => budget.length > 3) },
    look: { guard: ({ context }) => context.board.has('settings') },
    // @ts-expect-error: not in the catalogue
    loko: { guard: ({ context }) => context.board.has('setings') },
  },
})

/** Made beside the machine instead of inside it. */
const countUp = board.write({ budget: 4 })
const isRich = board.when('budget', (budget) => budget > 3)
board.workflow().createMachine({ entry: countUp, on: { go: { guard: isRich, actions: [countUp] } } })

board.workflow().createMachine({
  // @ts-expect-error: the board is the context
  context: { mine: 1 },
})

board
  .workflow({
    input: z.object({ from: z.int().default(1) }),
    events: { add: z.object({ amount: z.int() }), stop: z.object({}) },
    context: ({ input }) => ({ rounds: input.from }),
    guards: {
      isLate: ({ context }) => {
        expectTypeOf(context.rounds).toBeNumber()
        expectTypeOf(context.input.from).toBeNumber()
        expectTypeOf(context.board.get('budget')).toEqualTypeOf<number | undefined>()
        return context.rounds > 3
      },
    },
    actions: { note: ({ event }) => expectTypeOf(event.type).toEqualTypeOf<'add' | 'stop'>() },
    delays: { soon: 10, later: ({ context }) => context.rounds * 10 },
  })
  .createMachine({
    initial: 'a',
    states: { a: { after: { soon: 'b', later: 'b' } }, b: {} },
    on: {
      add: {
        guard: 'isLate',
        actions: [
          'note',
          assign({ rounds: ({ context, event }) => context.rounds + event.amount }),
          board.write({ budget: ({ event }) => event.amount }),
          // @ts-expect-error: not a field of that event
          board.write({ budget: ({ event }) => event.amont }),
        ],
      },
    },
  })
board.workflow({ events: { add: z.object({ amount: z.int() }) }, guards: { isLate: () => true } }).createMachine({
  on: {
    // @ts-expect-error: no guard of that name
    add: { guard: 'isEarly' },
  },
})
board.workflow({ events: { add: z.object({ amount: z.int() }) } }).createMachine({
  on: {
    // @ts-expect-error: no event of that name
    ad: {},
  },
})

// ---- named guards and actions

board
  .workflow({
    input: z.object({ from: z.int() }),
    events: { add: z.object({ amount: z.int() }), tick: z.object({}) },
    agents,
    context: ({ input }) => ({ rounds: input.from, last: '' }),
    guards: {
      isMoreThan: ({ context }, params: { readonly min: number }) => context.rounds > params.min,
      isRich: board.when('budget', (budget) => budget > 3),
      isLate: ({ event }) => event.type === 'tick',
      isRichAndLate: and(['isRich', 'isLate']),
    },
    actions: {
      reset: assign({ rounds: 0 }),
      count: assign({ rounds: ({ context }) => context.rounds + 1 }),
      countAll: assign(({ context }) => ({ rounds: context.rounds + 1 })),
      // @ts-expect-error: not a field of the context
      miscount: assign({ ruonds: ({ context }) => context.rounds + 1 }),
      // @ts-expect-error: not a field of the context
      misread: assign({ rounds: ({ context }) => context.ruonds + 1 }),
      record: board.write({ budget: 3 }),
      recordAll: board.write({ budget: ({ context }) => context.rounds, 'plan.title': ({ event }) => event.type }),
      // @ts-expect-error: not a number
      misrecord: board.write({ budget: 'three' }),
      remember: assign({ last: (_, params: { readonly text: string }) => params.text }),
      note: ({ context }, params: { readonly text: string }) => void `${params.text} ${context.rounds.toFixed()}`,
      next: raise({ type: 'tick' }),
      later: raise({ type: 'tick' }, { delay: 'soon' }),
      some: enqueueActions(({ enqueue, check, context }) => {
        if (context.rounds > 3) enqueue.assign({ rounds: 0 })
        if (check('isRich')) enqueue('record')
        // @ts-expect-error: not a field of the context
        if (context.ruonds > 3) enqueue.raise({ type: 'tick' })
      }),
    },
    delays: { soon: ({ context }) => context.rounds * 10 },
  })
  .createMachine({
    on: {
      add: [
        {
          guard: { type: 'isMoreThan', params: { min: 3 } },
          actions: [
            'reset',
            'count',
            'record',
            'next',
            { type: 'note', params: { text: 'x' } },
            { type: 'remember', params: ({ event }) => ({ text: event.amount.toFixed() }) },
          ],
        },
        { guard: and(['isRich', 'isLate']) },
        // @ts-expect-error: the guard needs its params
        { guard: 'isMoreThan' },
        // @ts-expect-error: not its params
        { guard: { type: 'isMoreThan', params: { max: 3 } } },
        // @ts-expect-error: the action needs its params
        { actions: 'note' },
        // @ts-expect-error: no action of that name
        { actions: 'rest' },
      ],
    },
  })

// Also where nothing else is said.
board.workflow({ context: () => ({ n: 0 }), actions: { inc: assign({ n: 1 }) } }).createMachine({ entry: 'inc' })
board.workflow({ actions: { record: board.write({ budget: 1 }) } }).createMachine({ entry: 'record' })
// @ts-expect-error: not a field of the context
board.workflow({ context: () => ({ n: 0 }), actions: { inc: assign({ m: 1 }) } })

// ---- events

board
  .workflow({
    events: {
      tick: z.object({}),
      tock: z.strictObject({}),
      free: z.looseObject({}),
      any: z.unknown(),
      add: z.object({ amount: z.int().default(1) }),
      either: z.union([z.object({}), z.object({ why: z.string() })]),
    },
  })
  .createMachine({
    on: {
      tick: {
        actions: [
          raise({ type: 'tock' }),
          raise({ type: 'free', whatever: 1 }),
          raise({ type: 'any' }),
          raise({ type: 'add', amount: 1 }),
          raise({ type: 'either', why: 'x' }),
          ({ event }) => expectTypeOf(event).toEqualTypeOf<{ readonly type: 'tick' }>(),
        ],
      },
      tock: { actions: ({ event }) => expectTypeOf(event.type).toEqualTypeOf<'tock'>() },
      add: { actions: ({ event }) => expectTypeOf(event.amount).toBeNumber() },
      // @ts-expect-error: no event of that type
      tack: {},
      free: [
        // @ts-expect-error: no event of that type
        { actions: raise({ type: 'tack' }) },
        // @ts-expect-error: the amount is missing
        { actions: raise({ type: 'add' }) },
        // @ts-expect-error: it carries nothing
        { actions: raise({ type: 'tick', amount: 1 }) },
      ],
    },
  })
// @ts-expect-error: what an event carries is an object; z.object({}) for nothing
board.workflow({ events: { tick: z.undefined() } })
// @ts-expect-error: what an event carries is an object
board.workflow({ events: { tick: z.number() } })

// ---- the context of the machine

interface Counts {
  retries: number
  last?: string
}
board.workflow({ input: z.object({ max: z.int() }), context: (): Counts => ({ retries: 0 }) }).createMachine({
  on: {
    again: [
      {
        guard: ({ context }) => context.retries < context.input.max,
        actions: assign({ retries: ({ context }) => context.retries + 1, last: ({ event }) => event.type }),
      },
      // @ts-expect-error: not a field of the context
      { guard: ({ context }) => context.retires === 0 },
      // @ts-expect-error: not a field of the context
      { actions: assign({ retires: ({ context }) => context.retries + 1 }) },
      // @ts-expect-error: not a field of the context
      { actions: assign(() => ({ retires: 1 })) },
      // @ts-expect-error: not a number
      { actions: assign({ retries: 'once' }) },
    ],
  },
})
board.workflow().createMachine({
  // @ts-expect-error: nothing but board and input
  on: { again: { guard: ({ context }) => context.retries === 0 } },
})

// ---- input and output

const free = board.workflow().createMachine({})
const optional = board.workflow({ input: z.object({ a: z.string() }).optional() }).createMachine({})
const checked = board.workflow({ output: z.object({ sum: z.number() }) }).createMachine({
  initial: 'a',
  states: { a: { type: 'final' } },
  output: ({ context }) => ({ sum: context.board.get('budget') ?? 0 }),
})
board.workflow({ output: z.object({ sum: z.number() }) }).createMachine({
  // @ts-expect-error: does not fit the output's schema
  output: ({ context }) => ({ sum: String(context.board.get('budget')) }),
})

const outer = defineContext({ total: entry(z.number()) })
const child = board
  .workflow({ input: z.object({ lines: z.array(z.int()) }), output: z.object({ sum: z.number() }) })
  .createMachine({ output: { sum: 1 } })
outer.workflow({ agents: { child } }).createMachine({
  invoke: {
    src: 'child',
    input: { lines: [1] },
    onDone: { actions: outer.write({ total: ({ event }) => event.output.sum }) },
  },
})
outer.workflow({ agents: { child } }).createMachine({
  // @ts-expect-error: not the input of the child workflow
  invoke: { src: 'child', input: { line: [1] } },
})

export async function run(): Promise<void> {
  const runtime = await createRuntime()
  await runtime.start(free)
  await runtime.start(free, { runId: 'x' })
  await runtime.start(optional)
  await runtime.start(optional, { input: { a: 'x' } })
  // @ts-expect-error: not its input
  await runtime.start(optional, { input: { b: 'x' } })
  expectTypeOf((await runtime.start(free)).done).resolves.toBeUnknown()
  const started = await runtime.start(checked)
  expectTypeOf(started.done).resolves.toEqualTypeOf<{ sum: number }>()
  await started.update({ 'notes.x': { text: 'y' }, budget: put(3, { policy: 'counter' }) })
  // @ts-expect-error: not the value of that family
  await started.update({ 'notes.x': 'y' })
  expectTypeOf((await started.at(1)).get('budget')).toEqualTypeOf<number | undefined>()
  // @ts-expect-error: a machine is needed
  await runtime.start(board)
  const found = runtime.get('x')
  expectTypeOf(found?.get('anything')).toBeUnknown()
}
