import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import type { AnyStateMachine } from 'xstate'
import { fromPromise, setup } from 'xstate'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, entry } from 'callboard'
import { compareStructures, describeDifference, stampOf, structureHash, structureOf } from '../../src/workflow/index.ts'
import { SEED } from '../invariants/properties/run-property.ts'

interface Options {
  readonly config?: object
  readonly keys?: Parameters<typeof defineContext>[0]
  readonly writes?: readonly string[]
}

const KEYS = {
  draft: entry(z.object({ title: z.string(), pages: z.int() })),
  note: entry(z.string(), { scope: 'group', group: 'editors' }),
}

const CONFIG = {
  id: 'editing',
  initial: 'writing',
  on: { cancel: '.gone' },
  states: {
    writing: {
      invoke: { src: 'writer', onDone: 'checking', onError: 'gone' },
      after: { 1000: 'gone', patience: 'checking' },
    },
    checking: {
      type: 'parallel',
      onDone: 'gone',
      states: {
        style: { initial: 'open', states: { open: { on: { ok: 'closed' } }, closed: { type: 'final' } } },
        facts: { initial: 'open', states: { open: { always: 'closed' }, closed: { type: 'final' } } },
        last: { type: 'history', history: 'deep' },
      },
    },
    gone: { type: 'final' },
  },
}

function make({ config = CONFIG, keys = KEYS, writes = ['draft'] }: Options = {}): AnyStateMachine {
  const board = defineContext(keys)
  const writer = board.agent({ reads: ['note'] as never, writes: writes as never, run: async () => {} })
  const other = board.agent({ run: async () => {} })
  return board
    .workflow({ name: 'editing', agents: { writer, other }, delays: { patience: 5000 } })
    .createMachine(config as never) as AnyStateMachine
}

const hashOf = (options: Options = {}): string => stampOf(make(options)).hash

/** The config with what stands at a path replaced by what a function makes of it. */
function change(path: readonly string[], edit: (part: Record<string, unknown>) => unknown): object {
  const at = (part: Record<string, unknown>, [name, ...rest]: readonly string[]): unknown =>
    name === undefined ? edit(part) : { ...part, [name]: at(part[name] as Record<string, unknown>, rest) }
  return at(CONFIG, path) as object
}

/** The same data with the keys of every object in another order. */
function shuffled(data: unknown, random: () => number): unknown {
  if (Array.isArray(data)) return data.map((item) => shuffled(item, random))
  if (typeof data !== 'object' || data === null) return data
  const keys = Object.keys(data)
    .map((key) => ({ key, place: random() }))
    .sort((a, b) => a.place - b.place)
  return Object.fromEntries(keys.map(({ key }) => [key, shuffled((data as Record<string, unknown>)[key], random)]))
}

/** The config with texts on every state. */
function withTexts(state: Record<string, unknown>, text: string): object {
  const states = Object.entries((state['states'] ?? {}) as Record<string, Record<string, unknown>>)
  return {
    ...state,
    description: text,
    tags: [text, 'phase'],
    meta: { text },
    ...(states.length === 0
      ? {}
      : { states: Object.fromEntries(states.map(([name, inner]) => [name, withTexts(inner, text)])) }),
  }
}

describe('the structural hash', () => {
  it('stays the same whatever the order of keys, the tags, descriptions and metadata', () => {
    const plain = hashOf()
    fc.assert(
      fc.property(fc.string(), fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (text, numbers) => {
        const config = shuffled(withTexts(CONFIG, text), () => numbers.next().value as number)
        expect(hashOf({ config: config as object })).toBe(plain)
      }),
      { numRuns: 40, seed: SEED },
    )
  })

  it('stays the same when functions, texts and defaults of entries and the order of fields change', () => {
    const keys = {
      note: entry(z.string().describe('a note').meta({ title: 'Note' }), {
        scope: 'group',
        group: 'editors',
        description: 'for editors',
        priority: 'high',
        default: 'none',
      }),
      draft: entry(z.object({ pages: z.int(), title: z.string().refine((title) => title !== 'x') })),
    }
    expect(hashOf({ keys })).toBe(hashOf())
  })

  it('stays the same for transitions that lead to the same state in other words', () => {
    const config = change(['states', 'writing'], (state) => ({
      ...state,
      invoke: [{ src: 'writer', id: 'writer', onDone: { target: '#editing.checking' }, onError: [{ target: 'gone' }] }],
    }))
    expect(hashOf({ config })).toBe(hashOf())
  })

  it('is the same in another process', () => {
    const script = `
      import { defineContext, entry } from './src/index.ts'
      import { stampOf } from './src/workflow/index.ts'
      import { z } from 'zod'
      const board = defineContext({ a: entry(z.map(z.string(), z.date())), b: entry(z.enum(['x', 'y'])) })
      const w = board.agent({ writes: ['a'], run: async () => {} })
      const machine = board.workflow({ agents: { w } }).createMachine({ id: 'm', initial: 'on', states: { on: { invoke: { src: 'w' } } } })
      process.stdout.write(stampOf(machine).hash)`
    const run = (): string =>
      execFileSync(process.execPath, ['--input-type=module-typescript', '--eval', script], {
        cwd: new URL('../../', import.meta.url).pathname,
        encoding: 'utf8',
      })
    const first = run()
    expect(first).toMatch(/^[\da-f]{32}$/)
    expect(run()).toBe(first)
  })

  const EDITS: readonly (readonly [string, Options, string])[] = [
    [
      'a state is added',
      { config: change(['states'], (states) => ({ ...states, extra: {} })) },
      'state "extra" is new',
    ],
    [
      'a nested state is removed',
      {
        config: change(['states', 'checking', 'states', 'facts'], () => ({
          initial: 'closed',
          states: { closed: { type: 'final' } },
        })),
      },
      'state "checking.facts.open" is gone',
    ],
    [
      'a state becomes final',
      { config: change(['states', 'checking', 'states', 'style', 'states', 'open'], () => ({ type: 'final' })) },
      'state "checking.style.open" has other on, type',
    ],
    [
      'another state is the initial one',
      { config: change([], (root) => ({ ...root, initial: 'checking' })) },
      'state "(root)" has other initial',
    ],
    [
      'a history is shallow now',
      { config: change(['states', 'checking', 'states', 'last'], () => ({ type: 'history' })) },
      'state "checking.last" has other deep',
    ],
    [
      'an event leads elsewhere',
      { config: change(['on'], () => ({ cancel: '.checking' })) },
      'state "(root)" has other on',
    ],
    ['an event is new', { config: change(['on'], (on) => ({ ...on, stop: '.gone' })) }, 'state "(root)" has other on'],
    [
      'a delay is another one',
      { config: change(['states', 'writing', 'after'], () => ({ 2000: 'gone', patience: 'checking' })) },
      'state "writing" has other after',
    ],
    [
      'a state invokes another agent',
      {
        config: change(['states', 'writing', 'invoke'], (invoke) => ({ ...invoke, src: 'other', id: 'writer' })),
      },
      'state "writing" has other invoke',
    ],
    ['an agent writes other keys', { writes: ['draft', 'note'] }, 'actor "writer" has other writes'],
    ['a key is new', { keys: { ...KEYS, more: entry(z.string()) } }, 'key "more" is new'],
    ['a key has another scope', { keys: { ...KEYS, note: entry(z.string()) } }, 'key "note" has other group, scope'],
    [
      'a key has another policy',
      { keys: { ...KEYS, draft: entry(KEYS.draft.schema, { merge: 'replace' }) } },
      'key "draft" has other merge',
    ],
    [
      'a value has another shape',
      { keys: { ...KEYS, draft: entry(z.object({ title: z.string(), pages: z.int(), by: z.string() })) } },
      'key "draft" has other schema',
    ],
    [
      'a date becomes a bigint, for which JSON Schema has no words',
      { keys: { ...KEYS, draft: entry(z.date()) } },
      'key "draft" has other schema',
    ],
  ]

  it.each(EDITS)('is another one when %s, and the difference is named', (_what, options, difference) => {
    const before = structureOf(make())
    const after = structureOf(make(options))
    expect(structureHash(after)).not.toBe(structureHash(before))
    expect(compareStructures(before, after).map(describeDifference)).toContain(difference)
  })

  it('finds no difference where there is none', () => {
    expect(compareStructures(structureOf(make()), structureOf(make()))).toEqual([])
  })

  it('sees into machines that are invoked as they are, and names child workflows', () => {
    const board = defineContext({})
    const lampOf = (states: object): AnyStateMachine =>
      setup({}).createMachine({ id: 'lamp', initial: 'off', states: { off: {}, ...states } }) as never
    const child = board.workflow({ name: 'inner' }).createMachine({ id: 'c', initial: 'on', states: { on: {} } })
    const outer = (states: object): AnyStateMachine =>
      board
        .workflow({ name: 'w', agents: { lamp: lampOf(states), child, fetched: fromPromise(async () => 1) } })
        .createMachine({ id: 'm', initial: 'on', states: { on: { invoke: { src: 'lamp' } } } }) as never
    expect(structureOf(outer({})).actors).toMatchObject({
      child: { kind: 'workflow', workflow: 'inner' },
      fetched: { kind: 'actor' },
    })
    const differences = compareStructures(structureOf(outer({})), structureOf(outer({ dimmed: {} })))
    expect(differences.map(describeDifference)).toEqual(['state "lamp: dimmed" is new'])
  })

  it('keeps a structure small', () => {
    expect(JSON.stringify(structureOf(make())).length).toBeLessThan(1500)
  })
})
