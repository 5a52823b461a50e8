// A new definition makes an entry sensitive or protected that was stored when it was not.
import { expect, it } from 'vitest'
import { z } from 'zod'
import { createVolatileStore, defineContext, entry } from 'callboard'
import type { EntryOptions, Store } from 'callboard'
import { createWorld } from './world.ts'

/** What an agent without a grant read, and why it was refused. */
interface Told {
  readonly read: unknown[]
  readonly refused: string[]
}

function makeWorkflow(flags: Pick<EntryOptions, 'sensitive' | 'protected'>, { read, refused }: Told) {
  const board = defineContext({
    memo: entry(z.string(), flags),
    rate: entry(z.string(), { ...flags, scope: 'global' }),
  })
  const reader = board.agent({
    reads: ['*'],
    writes: ['*'],
    async run({ view, tryUpdate }) {
      read.push(view.get('memo'), view.get('rate'))
      for (const key of ['memo', 'rate'] as const) {
        const result = await tryUpdate({ [key]: 'other' })
        if (result.kind === 'refused') refused.push(result.reason)
      }
    },
  })
  return board.workflow({ name: 'memos', agents: { reader } }).createMachine({
    initial: 'idle',
    states: { idle: { on: { go: 'reading' } }, reading: { invoke: { src: 'reader', onDone: 'done' } }, done: {} },
  })
}

const tell = (): Told => ({ read: [], refused: [] })

async function storeRun(): Promise<Store> {
  const store = createVolatileStore()
  const { runtime } = await createWorld({ store })
  const run = await runtime.start(makeWorkflow({}, tell()), { runId: 'r' })
  await run.update({ memo: 'hush', rate: 'hush' })
  await runtime.close({ runs: 'keep' })
  return store
}

it('what became sensitive is not read without a grant, as it is or as it was, and is redacted', async () => {
  const told = tell()
  const store = await storeRun()
  const { runtime, clock } = await createWorld({ store, workflows: [makeWorkflow({ sensitive: true }, told)] })
  const run = await runtime.open('r')
  const then = await run.viewAt('reader', 2)
  expect([then.has('memo'), then.has('rate'), run.view('reader').has('rate')]).toEqual([false, false, false])
  expect(run.entry('memo')).toMatchObject({ value: 'hush', sensitive: true, version: 2 })
  expect((await run.log({ key: 'memo' })).at(-1)).toMatchObject({ operation: 'migrate', sensitive: true })
  await run.send({ type: 'go' })
  await clock.settle()
  expect([run.state, told.read]).toEqual(['done', [undefined, undefined]])
})

it('what became protected is not overwritten without a grant', async () => {
  const told = tell()
  const store = await storeRun()
  const { runtime, clock } = await createWorld({ store, workflows: [makeWorkflow({ protected: true }, told)] })
  const run = await runtime.open('r')
  await run.send({ type: 'go' })
  await clock.settle()
  expect(told.refused).toEqual(['protected', 'protected'])
  expect([run.get('memo'), run.get('rate')]).toEqual(['hush', 'hush'])
})

it('what is stored with the flags already gets no new version', async () => {
  const store = createVolatileStore()
  const { runtime } = await createWorld({ store })
  const run = await runtime.start(makeWorkflow({ sensitive: true }, tell()), { runId: 'r' })
  await run.update({ memo: 'hush' })
  await runtime.close({ runs: 'keep' })
  const other = makeWorkflow({ sensitive: true, protected: false }, tell())
  const { runtime: next } = await createWorld({ store, workflows: [other] })
  expect((await next.open('r')).entry('memo')?.version).toBe(1)
})
