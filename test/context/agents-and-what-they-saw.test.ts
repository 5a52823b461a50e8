// What an agent saw and read before it wrote, through the runtime that remembers it.
import { expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { put } from 'callboard'
import { loadModules } from '../invariants/properties/modules.ts'
import { startPuppets } from '../invariants/properties/puppets.ts'
import type { PuppetShow } from '../invariants/properties/puppets.ts'

async function start(): Promise<PuppetShow<'ann' | 'ben'>> {
  const modules = await loadModules()
  const entry = modules.workflow.entry(z.unknown(), { merge: 'replace' })
  const plan = modules.workflow.entry(z.unknown(), { merge: 'replace', dependsOn: ['source'] as never[] })
  const all = { reads: ['*'], writes: ['*'] }
  const show = await startPuppets(modules, { source: entry, plan, free: entry } as never, { ann: all, ben: all })
  onTestFinished(() => show.runtime.close())
  return show
}

it('what was written from an old reading is stale from birth', async () => {
  const {
    agents: { ann, ben },
    run,
  } = await start()
  await ben.update({ source: 1 })
  ann.view.get('source')
  await ben.update({ source: 2 })
  await ann.update({ plan: 'from 1' })
  expect(run.entry('plan')?.stale).toBe(true)
  ann.view.get('source')
  await ann.update({ plan: 'from 2' })
  expect(run.entry('plan')?.stale).toBe(false)
})

it('what was written from a private entry of the same key is not', async () => {
  const {
    agents: { ann, ben },
    run,
  } = await start()
  await ann.update({ source: put('mine', { scope: 'private' }) })
  for (const version of [1, 2, 3]) await ben.update({ source: version })
  expect(ann.view.get('source')).toBe('mine')
  await ann.update({ plan: 'from mine' })
  expect(run.entry('plan')?.stale).toBe(false)
  expect(ann.view.current.get('source')).toBe('mine')
  await ann.update({ plan: 'from all I see' })
  expect(run.entry('plan')?.stale).toBe(false)
})

it('two agents cannot both win by naming the same seq', async () => {
  const {
    agents: { ann, ben },
  } = await start()
  const { seq } = ann.view
  const results = await Promise.all([
    ann.tryUpdate({ free: 'ann' }, { expectedSeq: seq }),
    ben.tryUpdate({ free: 'ben' }, { expectedSeq: ben.view.seq }),
  ])
  expect(results.map(({ kind }) => kind).sort()).toEqual(['accepted', 'refused'])
})

it('a view that has shown the end of an entry is the same object once that end is committed', async () => {
  const {
    agents: { ann, ben },
    clock,
    run,
  } = await start()
  await ben.update({ free: put(1, { ttlMs: 5 }) })
  clock.jump(5)
  const shown = ann.view.current
  expect(shown.has('free')).toBe(false)
  const { seq } = run
  await clock.settle()
  expect(run.seq).toBe(seq + 1)
  expect(ann.view.current).toBe(shown)
})
