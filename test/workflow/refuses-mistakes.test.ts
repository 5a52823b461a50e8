import { describe, expect, it } from 'vitest'
import { createActor, fromPromise } from 'xstate'
import { z } from 'zod'
import { defineContext, entry, isCallboardError } from 'callboard'

const board = defineContext({ 'plan.tasks': entry(z.array(z.string())), budget: entry(z.int()) })

/** What a definition throws: its code and its sentence. */
function mistakeIn(define: () => unknown): { readonly code: string; readonly message: string } {
  try {
    define()
  } catch (error) {
    if (isCallboardError(error)) return { code: error.code, message: error.message }
    throw error
  }
  throw new Error('expected a mistake to be found')
}

describe('a catalogue is refused', () => {
  it.each([
    [
      'a dependency it does not know',
      { a: entry(z.string(), { dependsOn: ['b'] }) },
      'entry "a" depends on "b", which is no key of the catalogue',
    ],
    [
      'an unknown policy',
      { a: entry(z.string(), { merge: 'newest' }) },
      'entry "a": unknown policy "newest"; known are smart, deep',
    ],
    ['an unknown scope', { a: entry(z.string(), { scope: 'team' as never }) }, 'entry "a": unknown scope "team"'],
    ['an unknown priority', { a: entry(z.string(), { priority: 'urgent' as never }) }, 'unknown priority "urgent"'],
    ['a group without the scope', { a: entry(z.string(), { group: 'g' }) }, `group needs scope: 'group'`],
    ['a life that is none', { a: entry(z.string(), { ttlMs: 0 }) }, 'ttlMs'],
    ['an empty key', { '': entry(z.string()) }, 'a key is a non-empty, well-formed text'],
  ])('for %s', (_what, definitions, sentence) => {
    const mistake = mistakeIn(() => defineContext(definitions as never))
    expect(mistake.code).toBe('catalogue.invalid')
    expect(mistake.message).toContain(sentence)
  })

  it('for a circle of dependencies, spelled out', () => {
    const mistake = mistakeIn(() =>
      defineContext({
        a: entry(z.string(), { dependsOn: ['b'] }),
        b: entry(z.string(), { dependsOn: ['c'] }),
        c: entry(z.string(), { dependsOn: ['a'] }),
      }),
    )
    expect(mistake.code).toBe('catalogue.cycle')
    expect(mistake.message).toBe('entries depend on each other in a circle: a → b → c → a')
  })
})

describe('an agent is refused', () => {
  it.each([
    ['reads', { reads: ['plam.*'] }],
    ['writes', { writes: ['plam.*'] }],
  ])('for %s that match nothing', (field, options) => {
    const mistake = mistakeIn(() => board.agent({ ...(options as object), run: () => {} }))
    expect(mistake.code).toBe('agent.invalid')
    expect(mistake.message).toBe(
      `an agent's ${field} name "plam.*", which matches no entry of the catalogue; correct it or add the entry`,
    )
  })
})

describe('a workflow is refused', () => {
  const works = board.agent({ run: () => {} })

  it('for an actor it does not know, at any depth', () => {
    const mistake = mistakeIn(() =>
      board.workflow({ agents: { works } }).createMachine({
        initial: 'a',
        states: { a: { initial: 'b', states: { b: { invoke: { src: 'rests' as never } } } } },
      }),
    )
    expect(mistake.code).toBe('workflow.unknown-actor')
    expect(mistake.message).toBe('a state invokes "rests", which is not registered; registered are: works')
  })

  it('for a state that is not there, at any depth, before any run comes to it', () => {
    const inner = { initial: 'nope', states: { c: {} } }
    for (const config of [inner, { initial: 'a', states: { a: {}, b: inner } }, { on: { go: '.nope' } }]) {
      const mistake = mistakeIn(() => board.workflow().createMachine({ id: 'm', ...config } as never))
      expect(mistake.code).toBe('workflow.invalid-machine')
      expect(mistake.message).toMatch(/^the machine "m" cannot be made: .*nope.*; correct its config$/s)
    }
  })

  it('for an actor without a name: it could not be found again after a restart', () => {
    const mistake = mistakeIn(() =>
      board.workflow().createMachine({ invoke: { src: fromPromise(async () => 1) } } as never),
    )
    expect(mistake.code).toBe('workflow.anonymous-actor')
  })
})

it('an agent in a plain XState actor says how to start it', async () => {
  const works = board.agent({ run: () => {} })
  const workflow = board.workflow({ agents: { works } }).createMachine({ invoke: { src: 'works' } })
  const errors: unknown[] = []
  const actor = createActor(workflow, { input: undefined })
  actor.subscribe({ error: (error) => errors.push(error) })
  actor.start()
  await new Promise((resolve) => setImmediate(resolve))
  expect(errors).toMatchObject([{ code: 'agent.no-runtime' }])
})

it('a family of keys is opened by its prefix, and the longest prefix counts', () => {
  const { catalogue } = defineContext({
    'notes.*': entry(z.string(), { priority: 'low' }),
    'notes.urgent.*': entry(z.string(), { priority: 'high' }),
    'notes.exact': entry(z.string(), { priority: 'critical' }),
  })
  expect(catalogue.find('notes.anything')?.priority).toBe('low')
  expect(catalogue.find('notes.urgent.now')?.priority).toBe('high')
  expect(catalogue.find('notes.exact')?.priority).toBe('critical')
  expect(catalogue.find('note')).toBeUndefined()
})
