// REQUIREMENTS 41 to 56: how an update meets what is there.
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, entry, patch, POLICIES, put } from 'callboard'
import type { PutOptions, Run } from 'callboard'
import { createWorld, idle } from '../runtime/world.ts'

async function boardWith(value: unknown, options: PutOptions = {}): Promise<Run<unknown, { [key: string]: unknown }>> {
  const { runtime } = await createWorld()
  const board = defineContext({ '*': entry(z.unknown()), 'kept.*': entry(z.unknown(), { protected: true }) })
  const run = await runtime.start(idle(board))
  await run.update({ it: put(value, options) })
  return run as unknown as Run<unknown, { [key: string]: unknown }>
}

it('both families are there: safe, shallow (update), replace and prefixed, and smart, which is the default', async () => {
  expect(Object.keys(POLICIES)).toEqual(expect.arrayContaining(['safe', 'shallow', 'replace', 'smart']))
  const run = await boardWith({ a: { x: 1 } })
  await run.update({ it: { a: { y: 2 } } })
  expect(run.get('it')).toEqual({ a: { x: 1, y: 2 } })
})

it('shallow overwrites the fields that are there, adds new ones, and reaches no protected key', async () => {
  const run = await boardWith({ a: { x: 1 }, b: 1 })
  await run.update({ 'kept.a': 1 })
  await run.update({ it: { a: { y: 2 }, c: 3 } }, { policy: 'shallow' })
  expect(run.get('it')).toEqual({ a: { y: 2 }, b: 1, c: 3 })
  expect(await run.tryUpdate({ 'kept.a': 2 }, { policy: 'shallow' })).toMatchObject({
    reason: 'protected',
    key: 'kept.a',
  })
  expect(run.get('kept.a')).toBe(1)
})

it('prefixed never overwrites a protected key', async () => {
  const run = await boardWith(1)
  await run.update({ 'kept.a': 1 })
  const result = await run.tryUpdate({ a: 2, b: 3 }, { policy: 'prefixed', prefix: 'kept.' })
  expect(result).toMatchObject({ kind: 'refused', reason: 'protected', key: 'kept.a' })
  expect(run.get('kept.b')).toBeUndefined()
})

it('an unknown policy is refused by name and changes nothing', async () => {
  const run = await boardWith(1)
  const { seq } = run
  const result = await run.tryUpdate({ it: 2 }, { policy: 'newest-wins' })
  expect(result).toMatchObject({ kind: 'refused', reason: 'policy' })
  expect(result.kind === 'refused' && result.message).toContain('newest-wins')
  expect(run.entry('it')).toMatchObject({ value: 1, version: 1 })
  const [, , record] = await run.ledger()
  expect(record).toMatchObject({ seq: seq + 1, kind: 'refusal', changes: [] })
})

it('an update of nothing is no change: no version, no record', async () => {
  const run = await boardWith(1)
  const { seq } = run
  expect(await run.update({})).toEqual({ kind: 'accepted', versions: {}, conflicts: [], skipped: [] })
  expect(run.seq).toBe(seq)
})

it('the ledger says what was written, what was left alone, and what was refused', async () => {
  const run = await boardWith(1)
  const { versions, skipped } = await run.update({ it: 2, fresh: 3 }, { policy: 'safe' })
  expect({ versions, skipped }).toEqual({ versions: { fresh: 1 }, skipped: ['it'] })
  await run.tryUpdate({ it: 2 }, { expectedVersion: { it: 9 } })
  const records = await run.ledger()
  expect(records.at(-2)?.changes.map(({ key }) => key)).toEqual(['fresh'])
  expect(records.at(-1)).toMatchObject({ kind: 'refusal', refusals: [{ reason: 'expected-version', key: 'it' }] })
})

describe('smart', () => {
  it('merges two objects key by key at every depth; the new value wins at the leaves', async () => {
    const run = await boardWith({ a: { b: { c: 1, d: 1 } }, e: 1 })
    await run.update({ it: { a: { b: { c: 2 } }, f: 2 } })
    expect(run.get('it')).toEqual({ a: { b: { c: 2, d: 1 } }, e: 1, f: 2 })
  })

  it.each(['critical', 'high'] as const)(
    'joins two lists of a %s entry: each item once, also within the new list, order kept',
    async (priority) => {
      const run = await boardWith([3, 1], { priority })
      await run.update({ it: [2, 2, 1, 4] })
      expect(run.get('it')).toEqual([3, 1, 2, 4])
    },
  )

  it.each(['medium', 'low'] as const)('replaces the list of a %s entry', async (priority) => {
    const run = await boardWith([3, 1], { priority })
    await run.update({ it: [2, 2] })
    expect(run.get('it')).toEqual([2, 2])
  })

  it('lets two values of a registered type merge in their own way', async () => {
    const { runtime } = await createWorld()
    const span = {
      name: 'span',
      is: (value: unknown) => typeof value === 'object' && value !== null && 'from' in value,
      merge: (one: unknown, other: unknown) => {
        const [a, b] = [one, other] as { from: number; to: number }[]
        return { from: Math.min(a?.from ?? 0, b?.from ?? 0), to: Math.max(a?.to ?? 0, b?.to ?? 0) }
      },
    }
    const board = defineContext({ it: entry(z.object({ from: z.number(), to: z.number() })) }, { types: [span] })
    const run = await runtime.start(idle(board))
    await run.update({ it: { from: 2, to: 5 } })
    await run.update({ it: { from: 1, to: 3 } })
    expect(run.get('it')).toEqual({ from: 1, to: 5 })
  })

  it.each([
    ['text', 'a', 'b'],
    ['an object by a list', { a: 1 }, [1]],
    ['a number by null', 1, null],
  ])('otherwise takes the new value: %s', async (_what, before, after) => {
    const run = await boardWith(before)
    await run.update({ it: after })
    expect(run.get('it')).toEqual(after)
  })
})

it('a partial update merges objects, leaves other fields alone and replaces what is no object', async () => {
  const { runtime } = await createWorld()
  const board = defineContext({
    session: entry(z.object({ user: z.object({ name: z.string(), tags: z.array(z.string()) }), step: z.number() })),
  })
  const run = await runtime.start(idle(board))
  await run.update({ session: { user: { name: 'Ada', tags: ['a', 'b'] }, step: 1 } })
  await run.update({ session: patch({ user: { tags: ['c'] } }) })
  expect(run.get('session')).toEqual({ user: { name: 'Ada', tags: ['c'] }, step: 1 })
})

it('no merge keeps or changes the object it was given', async () => {
  const run = await boardWith({ nested: { list: [1] } })
  const given = { nested: { more: { a: 1 } } }
  await run.update({ it: given })
  given.nested.more.a = 9
  await run.update({ it: { nested: { more: { b: 2 } } } })
  expect(given).toEqual({ nested: { more: { a: 9 } } })
  expect(run.get('it')).toEqual({ nested: { list: [1], more: { a: 1, b: 2 } } })
})
