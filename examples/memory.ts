// Agents that learn: what one run found out, the next one knows. And facts that are proposed, reviewed, committed, and
// taken back when they turn out to be wrong.
//   npx node examples/memory.ts
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRuntime, defineContext, entry } from 'callboard'
import { createMemory, openSqliteMemory } from 'callboard/memory'
import { z } from 'zod'

const board = defineContext({
  website: entry(z.string(), { default: 'shop.example' }),
  latest_result: entry(z.object({ prices: z.array(z.number()), attempts: z.number() })),
})

/** Stands for a web page: its prices are found by the right selector only. */
const page = (selector: string): readonly number[] => (selector === 'td.price' ? [12.5, 7] : [])
const selectors = ['.price', '#prices', 'td.price']

const extractor = board.agent({
  reads: ['website'],
  writes: ['latest_result'],
  async run({ memory, update, view, step }) {
    const { output } = await memory.processWithLearning({
      task: `extract the prices of ${view.getOrThrow('website')}`,
      view: view.current,
      // With the memory of earlier runs, it begins with what worked then.
      execute: ({ memoryInsights = [], hasRelevantExperience }) =>
        step('extract', () => {
          const known = memoryInsights.flatMap(({ metadata }) =>
            typeof metadata['selector'] === 'string' ? [metadata['selector']] : [],
          )
          console.log(
            hasRelevantExperience
              ? `extractor remembers: try ${known[0]} first`
              : 'extractor has no experience with it',
          )
          const tries = [...new Set([...known, ...selectors])]
          const attempts = tries.findIndex((selector) => page(selector).length > 0) + 1
          return { prices: [...page(tries[attempts - 1] ?? '')], attempts, selector: tries[attempts - 1] ?? '' }
        }),
      learn: ({ selector, attempts }) => ({
        summary: `found by ${selector} at attempt ${attempts}`,
        data: { selector },
        learnedPattern: { skill: 'price_extraction', steps: `look for ${selector}` },
      }),
      store: ({ prices, attempts }) => update({ latest_result: { prices, attempts } }),
    })
    console.log(`extractor found ${output.prices.join(' and ')} at attempt ${output.attempts}`)
  },
})

const extraction = board.workflow({ agents: { extractor } }).createMachine({
  id: 'extraction',
  initial: 'extracting',
  states: { extracting: { invoke: { src: 'extractor', onDone: 'done' } }, done: { type: 'final' } },
})

const folder = await mkdtemp(join(tmpdir(), 'callboard-memory-'))
const store = await openSqliteMemory(join(folder, 'memory.db'))
const memory = await createMemory({ store })
const runtime = await createRuntime({ memory: memory.within({ project: 'price-watch' }) })

for (const round of ['first', 'second']) {
  console.log(`the ${round} run`)
  const run = await runtime.start(extraction)
  await run.done
}
const own = memory.for({ runId: 'audit', agent: 'extractor' })
console.log(`kept: ${(await own.list()).map(({ kind, text }) => `${kind}: ${text}`).join('; ')}`)
console.log(`a reporter knows ${(await memory.for({ runId: 'audit', agent: 'reporter' }).list()).length} of it`)

// Facts of a project go through a review.
const editor = memory.for({ runId: 'meeting', project: 'price-watch' })
const fact = { op: 'add', kind: 'semantic', scope: 'project', subject: 'currency' } as const
await editor.remember([{ ...fact, id: 'currency', text: 'Prices are in euro', rationale: 'the imprint says so' }])

const rival = await editor.propose([{ ...fact, text: 'Prices are in dollars', confidence: 0.6 }])
const { canCommit, conflicts } = await editor.review(rival.id)
console.log(`can it be committed? ${canCommit}: ${conflicts.find(({ blocking }) => blocking)?.message}`)
await editor.discard(rival.id)

const change = { ...fact, op: 'supersede', supersedes: ['currency'], text: 'Prices are in dollars' } as const
const batch = await editor.propose([change], { key: 'agenda item 3' })
await editor.commit(batch.id)
const repeated = await editor.commit(batch.id)
console.log(`now: ${(await editor.recall('which currency are prices in')).map(({ item }) => item.text).join()}`)
console.log(`committing again does nothing: ${repeated.kind === 'committed' && repeated.repeated}`)

await editor.revert(batch.id, { rationale: 'it was another shop' })
console.log(`taken back: ${(await editor.recall('which currency are prices in')).map(({ item }) => item.text).join()}`)

await runtime.close()
await store.close()
await rm(folder, { recursive: true })
