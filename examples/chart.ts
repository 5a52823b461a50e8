// Drawing a workflow: as Mermaid text on the console, and as an SVG file where a name is given.
//   npx node examples/chart.ts [chart.svg]
import { defineContext, entry } from 'callboard'
import { chartOf, renderChart } from 'callboard/graph'
import { writeFile } from 'node:fs/promises'
import { argv } from 'node:process'
import { z } from 'zod'

const board = defineContext({
  'article.text': entry(z.string()),
  'review.result': entry(z.object({ isGood: z.boolean() }), { dependsOn: ['article.text'] }),
})

const agents = {
  writer: board.agent({ reads: ['review.*'], writes: ['article.*'], run: () => {} }),
  reviewer: board.agent({ reads: ['article.*'], writes: ['review.*'], run: () => {} }),
}

const writing = board
  .workflow({ agents, guards: { isGood: board.when('review.result', ({ isGood }) => isGood) } })
  .createMachine({
    id: 'writing',
    initial: 'drafting',
    states: {
      drafting: { invoke: { src: 'writer', onDone: 'reviewing' }, after: { 60_000: 'abandoned' } },
      reviewing: {
        invoke: { src: 'reviewer', onDone: [{ guard: 'isGood', target: 'published' }, { target: 'drafting' }] },
        on: { cancel: 'abandoned' },
      },
      published: { type: 'final' },
      abandoned: { type: 'final' },
    },
  })

// No runtime is needed: a workflow is a plain XState machine.
const chart = chartOf(writing, {
  agents: new Map(Object.entries(agents).map(([name, { definition }]) => [name, definition])),
})
console.log(await renderChart(chart, 'mermaid'))

const [, , file] = argv
if (file !== undefined) {
  await writeFile(file, await renderChart(chart, 'svg'))
  console.log(`written: ${file}`)
}
