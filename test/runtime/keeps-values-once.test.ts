import { expect, it } from 'vitest'
import { z } from 'zod'
import { createRuntime, defineContext, entry } from 'callboard'
import { createTestClock } from 'callboard/testing'
import { encodeRecord } from '../../src/ledger/index.ts'

const board = defineContext({ plan: entry(z.object({ text: z.string(), pages: z.int() })) })
const workflow = board.workflow({ name: 'w' }).createMachine({ id: 'w' })

it('a record has what was written once, also where an object was merged with one of the same fields', async () => {
  const runtime = await createRuntime({ clock: createTestClock() })
  const run = await runtime.start(workflow)
  for (const text of ['first marker', 'second marker']) await run.update({ plan: { text, pages: 1 } })
  const [, first, second] = (await run.ledger()).map((record) => encodeRecord(record))
  expect(first?.split('first marker')).toHaveLength(2)
  expect(second?.split('second marker')).toHaveLength(2)
  await runtime.close()
})
