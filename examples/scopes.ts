// Who sees what: entries of one agent, of a group, of the run, and a credential that only a grant shows.
//   npx node examples/scopes.ts
import { createRuntime, defineContext, entry, put } from 'callboard'
import type { View } from 'callboard'
import { z } from 'zod'

const board = defineContext({
  'style.language': entry(z.string(), { default: 'TypeScript' }),
  'notes.*': entry(z.string(), { scope: 'private' }),
  'draft.code': entry(z.string(), { scope: 'group', group: 'coders' }),
  'credentials.registry': entry(z.string(), { scope: 'group', group: 'coders', sensitive: true, outside: true }),
})

const show = (agent: string, view: Pick<View, 'entries'>): void => {
  const lines = view.entries().map(({ key, value, scope }) => `${key} (${scope}) = ${JSON.stringify(value)}`)
  console.log([`${agent} sees`, ...lines].join('\n  '))
}

// Coders are a group: what they write there stays among them. The publisher alone is granted the credential.
const coder = board.agent({
  reads: ['*'],
  writes: ['draft.code', 'notes.*', 'style.language'],
  groups: ['coders'],
  async run({ update, view }) {
    await update({
      'draft.code': 'export const answer = 42',
      'notes.todo': 'ask for a review',
      // Narrower than the catalogue's scope: it shadows the run's entry for this agent and nobody else.
      'style.language': put('TypeScript, strict', { scope: 'private' }),
    })
    show('coder', view)
  },
})

const publisher = board.agent({
  reads: ['*'],
  groups: ['coders'],
  grants: { sensitive: ['credentials.registry'] },
  async run({ view, waitFor }) {
    await waitFor('credentials.registry')
    show('publisher', view)
    // Even then a prompt doesn't contain it.
    console.log(`in its prompt: ${/\[redacted: sensitive\]/.exec(view.render({ maxTokens: 500 }).text)?.[0]}`)
  },
})

const critic = board.agent({ reads: ['*'], run: ({ view }) => show('critic', view) })

const publishing = board.workflow({ agents: { coder, publisher, critic } }).createMachine({
  id: 'publishing',
  initial: 'coding',
  states: {
    coding: { invoke: { src: 'coder', onDone: 'criticising' } },
    criticising: { invoke: { src: 'critic', onDone: 'publishing' } },
    publishing: { invoke: { src: 'publisher', onDone: 'published' } },
    published: { type: 'final' },
  },
})

const runtime = await createRuntime()
const run = await runtime.start(publishing)
await run.update({ 'credentials.registry': 'not-a-real-token' }, { by: 'operator' })
await run.done
// The owner of the run may read everything; agents never get this far.
console.log(
  `the run holds ${run.entries().length} entries, in ${new Set(run.entries().map(({ scope }) => scope)).size} scopes`,
)
await runtime.close()
