import { createRuntime, defineContext, entry } from 'callboard'
import { z } from 'zod'

// The board: which entries there are, and how two updates of one entry meet.
const board = defineContext({
  'facts.price': entry(z.number().positive()),
  'facts.stock': entry(z.number().int()),
  notes: entry(z.array(z.string()), { merge: 'union' }),
  offer: entry(z.string(), { dependsOn: ['facts.price', 'facts.stock'] }),
})

const pricing = board.agent({
  writes: ['facts.price', 'notes'],
  run: async ({ update }) => void (await update({ 'facts.price': 12.5, notes: ['price list of May'] })),
})

const warehouse = board.agent({
  writes: ['facts.stock', 'notes'],
  async run({ step, update }) {
    const stock = await step('count', () => 40)
    await update({ 'facts.stock': stock, notes: ['counted today'] })
  },
})

const seller = board.agent({
  reads: ['facts.*', 'notes'],
  writes: ['offer'],
  async run({ waitForAll, view, update }) {
    const facts = await waitForAll(['facts.price', 'facts.stock'])
    const sources = view.getOrThrow('notes').join(', ')
    await update({ offer: `${facts['facts.stock']} pieces at ${facts['facts.price']} (${sources})` })
  },
})

// The workflow: a plain XState machine. One state invokes all three agents; they work at the same time.
const selling = board.workflow({ output: z.string(), agents: { pricing, warehouse, seller } }).createMachine({
  id: 'selling',
  initial: 'working',
  states: {
    working: { invoke: [{ src: 'pricing' }, { src: 'warehouse' }, { src: 'seller', onDone: 'sold' }] },
    sold: { type: 'final' },
  },
  output: ({ context }) => context.board.get('offer') ?? 'nothing to sell',
})

const runtime = await createRuntime()
const run = await runtime.start(selling)
console.log(await run.done)
await runtime.close()
