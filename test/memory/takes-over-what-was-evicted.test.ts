import { expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, entry } from 'callboard'
import { createMemory } from 'callboard/memory'
import { createWorld } from '../runtime/world.ts'

it('what made room on a board is handed to a memory, which the next run recalls it from', async () => {
  const memory = await createMemory()
  const board = defineContext({ 'note.*': entry(z.string()), about: entry(z.string(), { pinned: true }) })
  const noting = board
    .workflow({
      limits: {
        maxEntries: 3,
        async compact({ runId, seq, evicted, update }) {
          const items = evicted.map(({ entry: { key, value } }) => ({
            op: 'add' as const,
            kind: 'semantic' as const,
            scope: 'project' as const,
            text: String(value),
            data: { key },
          }))
          // Once, whoever asks again.
          await memory.for({ runId, project: 'harbour' }).remember(items, { key: `evicted at ${seq}` })
          await update({ about: `${items.length} notes are in the memory` })
        },
      },
    })
    .createMachine({ id: 'noting' })
  const { runtime, clock } = await createWorld()
  const run = await runtime.start(noting)
  for (const [key, note] of [
    ['note.a', 'the pump has two speeds'],
    ['note.b', 'the market opens at eight'],
    ['note.c', 'pilots board at the outer buoy'],
    ['note.d', 'it rains'],
  ] as const) {
    await run.update({ [key]: note })
    await clock.settle()
  }
  expect(
    run
      .entries()
      .map(({ key }) => key)
      .toSorted(),
  ).toEqual(['about', 'note.c', 'note.d'])
  const [hit] = await memory.for({ runId: 'next', project: 'harbour' }).recall('how many speeds has the pump?')
  expect(hit?.item).toMatchObject({ text: 'the pump has two speeds', data: { key: 'note.a' } })
  expect((await run.evictions()).map(({ key, entry: was }) => [key, was?.value])).toContainEqual([
    'note.a',
    'the pump has two speeds',
  ])
})
