// What a client reads and writes has the types of the workflow. Only compiled, never run.
import { expectTypeOf } from 'vitest'
import { z } from 'zod'
import { defineContext, entry, put } from 'callboard'
import { createClient } from 'callboard/client'

const board = defineContext({ plan: entry(z.object({ title: z.string() })), count: entry(z.int()) })
const desk = board
  .workflow({ name: 'desk', input: z.object({ title: z.string() }), output: z.object({ pages: z.int() }) })
  .createMachine({ id: 'desk' })

const client = createClient({ url: 'http://127.0.0.1:8000' })
const run = await client.start(desk, { input: { title: 'a' } })
// @ts-expect-error: an input that the workflow does not take
await client.start(desk, { input: { titel: 'a' } })
// @ts-expect-error: no input, where the workflow takes one
await client.start(desk)
// @ts-expect-error: no input among the options
await client.start<typeof desk>('desk', { runId: 'first' })
await client.start<typeof desk>('desk', { input: { title: 'a' } })
// A workflow that takes no input, and one of which nothing is known but its name.
await client.start(board.workflow({ name: 'plain' }).createMachine({ id: 'plain' }), { labels: { team: 'a' } })
await client.start('desk')
await client.start('desk', { input: { title: 'a' } })
const named = client.run<typeof desk>('first')

expectTypeOf(await run.get('plan')).toEqualTypeOf<{ title: string } | undefined>()
expectTypeOf(await named.waitFor('count')).toEqualTypeOf<number>()
expectTypeOf(await run.done()).toEqualTypeOf<{ pages: number }>()
expectTypeOf((await run.view('writer')).get('count')).toEqualTypeOf<number | undefined>()
await run.update({ count: put(1), plan: { title: 'b' } })
// @ts-expect-error: a key that the catalogue does not have
await run.get('plam')
// @ts-expect-error: a value of another type
await run.update({ count: 'one' })
// @ts-expect-error: a key that the catalogue does not have
await named.update({ counts: 1 })
for await (const { seq, kind } of run.changes()) expectTypeOf({ seq, kind }).toExtend<{ seq: number; kind: string }>()
