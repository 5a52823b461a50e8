import { expect, it } from 'vitest'
import { z } from 'zod'
import { createRuntime, defineContext, entry } from 'callboard'

it('shows an agent what the state that invoked it wrote on entry', async () => {
  const board = defineContext({
    goal: entry(z.string()),
    draft: entry(z.string(), { ephemeral: true, default: 'old' }),
  })
  const reader = board.agent({
    reads: ['*'],
    run: ({ view }) => ({ goal: view.get('goal'), draft: view.has('draft') }),
  })
  const seen: unknown[] = []
  const workflow = board.workflow({ agents: { reader } }).createMachine({
    id: 'w',
    initial: 'before',
    states: {
      before: { on: { go: 'reading' } },
      reading: {
        entry: board.write({ goal: 'now' }),
        invoke: { src: 'reader', onDone: { target: 'end', actions: ({ event }) => seen.push(event.output) } },
      },
      end: { type: 'final' },
    },
  })
  const runtime = await createRuntime()
  const run = await runtime.start(workflow)
  await run.send({ type: 'go' })
  await run.done
  expect(seen).toEqual([{ goal: 'now', draft: false }])
})
