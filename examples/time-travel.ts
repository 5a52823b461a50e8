// A trip is planned and booked, and then somebody asks: what if we had flown? The run is read as it was, compared, forked
// from the moment before the decision, and the board is put back, all from the same ledger.
//   npx node examples/time-travel.ts
import { createRuntime, defineContext, entry } from 'callboard'
import type { Run } from 'callboard'
import { z } from 'zod'

const Trip = z.object({ by: z.string(), hours: z.number(), price: z.number() })

const board = defineContext({
  destination: entry(z.string(), { protected: true }),
  trip: entry(Trip),
  booking: entry(z.string(), { dependsOn: ['trip'] }),
  ideas: entry(z.array(z.string()), { ephemeral: true }),
})

/** Tries things out on a branch: nobody sees a half-made plan, and a plan that fails leaves nothing behind. */
const planner = board.agent({
  phase: 'planning',
  isolation: 'branch',
  reads: ['destination'],
  writes: ['trip', 'ideas'],
  input: z.object({ by: z.string() }),
  async run({ input: { by }, view, step, update }) {
    await update({ ideas: [`${by} to ${view.getOrThrow('destination')}?`] })
    const offer = await step('ask for an offer', ({ idempotencyKey }) => {
      console.log(`  (an offer is asked for: ${idempotencyKey})`)
      return by === 'plane' ? { hours: 2, price: 140 } : { hours: 9, price: 90 }
    })
    await update({ trip: { by, ...offer } })
  },
})

const booker = board.agent({
  phase: 'booking',
  reads: ['trip'],
  writes: ['booking'],
  async run({ view, update }) {
    const { by, price } = view.getOrThrow('trip')
    await update({ booking: `${by} for ${price}` })
  },
})

const travelling = board.workflow({ agents: { planner, booker } }).createMachine({
  id: 'travelling',
  initial: 'deciding',
  states: {
    deciding: { on: { decide: 'planning' } },
    planning: {
      invoke: { src: 'planner', input: ({ event }) => ({ by: String(event['by']) }), onDone: 'reviewing' },
    },
    reviewing: { on: { book: 'booking' } },
    booking: { invoke: { src: 'booker', onDone: 'booked' } },
    booked: { on: { enough: 'home' } },
    home: { type: 'final' },
  },
})

/** Follows a run until its machine is in a state. */
async function reach(run: Pick<Run, 'changes'>, name: string): Promise<void> {
  for await (const { state } of run.changes()) if (state === name) return
}

const runtime = await createRuntime()
const run = await runtime.start(travelling, { runId: 'by-train' })
await run.update({ destination: 'Lisbon' }, { by: 'Ada' })
const undecided = await run.episode('undecided', { nextEntryPoint: 'decide' })
await run.send({ type: 'decide', by: 'train' })
await reach(run, 'reviewing')
await run.send({ type: 'book' })
await reach(run, 'booked')

console.log('what happened:')
for (const { seq, by, operation, key, from, to } of await run.log()) {
  if (key !== undefined) console.log(`  ${seq} ${by}: ${operation} ${key} v${from} → v${to}`)
}

const before = await run.at('before_booking')
console.log(`before the booking: ${before.get('trip')?.by}, booked: ${before.get('booking') ?? 'nothing'}`)
const saw = await run.viewAt('booker', 'before_booking')
console.log(`the booker saw ${saw.keys().join(', ')} then`)
const differences = await run.diff(undecided, run.seq)
console.log(`since "undecided": ${differences.map(({ kind, key }) => `${key} ${kind}`).join(', ')}`)

const fork = await run.fork(undecided, { runId: 'by-plane', reason: 'what if we had flown?' })
await fork.send({ type: 'decide', by: 'plane' })
await reach(fork, 'reviewing')
await fork.send({ type: 'book' })
await reach(fork, 'booked')
console.log(`${fork.id}: ${fork.get('booking')}; ${run.id}: ${run.get('booking')}`)

const { changed, kept } = await run.restore(undecided, { by: 'Ada' })
console.log(
  `put back: ${changed.map(({ key, kind, version }) => `${key} ${kind} (v${version})`).join(', ')}; kept: ${kept.length}`,
)
console.log(
  `the destination is ${run.get('destination')}, the trip ${run.get('trip')?.by ?? 'undecided'}, the machine "${run.state}"`,
)
console.log(undecided.summary)
await runtime.close()
