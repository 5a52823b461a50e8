// Two agents that need parts of each other's work and finish; then two that can't, and what the deadlock says.
//   npx node examples/await-dependencies.ts
import { createRuntime, defineContext, entry, isCallboardError } from 'callboard'
import type { WaitForGraph } from 'callboard'
import { z } from 'zod'

const board = defineContext({
  'api.contract': entry(z.string()),
  'api.example': entry(z.string(), { dependsOn: ['api.contract', 'client.question'] }),
  'client.question': entry(z.string(), { dependsOn: ['api.contract'] }),
  'client.code': entry(z.string(), { dependsOn: ['api.example'] }),
})

// server: contract → (waits for the question) → example.  client: (waits for the contract) → question → (…) → code.
const server = board.agent({
  reads: ['client.*'],
  writes: ['api.*'],
  async run({ waitFor, update }) {
    await update({ 'api.contract': 'GET /orders' })
    const question = await waitFor('client.question')
    await update({ 'api.example': `${question} → GET /orders?page=2` })
  },
})

const client = board.agent({
  reads: ['api.*'],
  writes: ['client.*'],
  async run({ waitFor, update }) {
    const contract = await waitFor('api.contract')
    await update({ 'client.question': `how does ${contract} page?` })
    await update({ 'client.code': `fetch(…) // ${await waitFor('api.example')}` })
  },
})

// The same two, but each wants the other's part before it gives its own.
const stubbornServer = board.agent({
  reads: ['client.*'],
  writes: ['api.*'],
  run: async ({ waitFor, update }) => void (await update({ 'api.example': await waitFor('client.question') })),
})

const stubbornClient = board.agent({
  reads: ['api.*'],
  writes: ['client.*'],
  run: async ({ waitFor, update }) => void (await update({ 'client.question': await waitFor('api.example') })),
})

const agents = { server, client, stubbornServer, stubbornClient }

const both = board.workflow({ output: z.string(), agents }).createMachine({
  id: 'both',
  initial: 'working',
  states: {
    working: { invoke: [{ src: 'server' }, { src: 'client', onDone: 'done' }] },
    done: { type: 'final' },
  },
  output: ({ context }) => context.board.get('client.code') ?? 'nothing',
})

const stubborn = board.workflow({ agents }).createMachine({
  id: 'stubborn',
  initial: 'working',
  states: { working: { invoke: [{ src: 'stubbornServer' }, { src: 'stubbornClient' }] } },
})

const runtime = await createRuntime()

const good = await runtime.start(both)
console.log(`both finished: ${await good.done}`)
const example = good.entry('api.example')
console.log(
  `api.example is version ${example?.version} by ${example?.updatedBy}, made from ${example?.dependsOn.join(' and ')}`,
)

// No timeout passes here: the wait ends as soon as nothing can bring the entry any more.
const stuck = await runtime.start(stubborn)
try {
  await stuck.done
} catch (error) {
  if (!isCallboardError(error, 'wait.deadlock')) throw error
  console.log(`deadlock: ${error.message}`)
  const graph = error.details['graph'] as WaitForGraph
  for (const { agent, waitsFor } of graph.nodes) console.log(`  ${agent} waits for ${waitsFor.join(', ')}`)
  console.log(`  circle: ${graph.cycle?.join(' → ')}`)
}
await runtime.close()
