// A workflow to be served: a writer who waits for a plan from outside. examples/curl.sh leads it to its end.
//   npx callboard serve examples/desk.ts
import { defineContext, entry } from 'callboard'
import { z } from 'zod'

const board = defineContext({
  plan: entry(z.string().min(1), { outside: true }),
  draft: entry(z.string(), { dependsOn: ['plan'] }),
})

const writer = board.agent({
  reads: ['plan'],
  writes: ['draft'],
  async run({ waitFor, update }) {
    const plan = await waitFor('plan', { timeoutMs: 600_000 })
    await update({ draft: `A letter in ${plan}.` })
  },
})

export const desk = board.workflow({ name: 'desk', agents: { writer } }).createMachine({
  id: 'desk',
  initial: 'writing',
  states: {
    writing: { invoke: { src: 'writer', onDone: 'written' } },
    written: { on: { approve: 'sent' } },
    sent: { type: 'final' },
  },
})
