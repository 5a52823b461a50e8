// Random histories of a board, without a runtime: transitions of one or more updates each.
import * as fc from 'fast-check'
import { z } from 'zod'
import type { Author, EntryDefinition } from 'callboard'
import type { Board, CellChange } from '../../../src/context/index.ts'
import type { Modules } from './modules.ts'
import { plainValue } from './values.ts'

export const AGENTS = ['ann', 'ben'] as const
export const KEYS = ['a', 'b', 'c', 'own', 'team', 'world', 'vault', '__proto__'] as const

const write = fc.record({
  key: fc.constantFrom(...KEYS),
  kind: fc.constantFrom('put', 'put', 'put', 'drop'),
  value: plainValue,
  narrow: fc.boolean(),
  priority: fc.option(fc.constantFrom('critical', 'high', 'medium', 'low'), { nil: undefined }),
  pinned: fc.option(fc.boolean(), { nil: undefined, freq: 3 }),
  ttlMs: fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined, freq: 2 }),
})

const action = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('update' as const),
      by: fc.constantFrom(...AGENTS, 'workflow'),
      writes: fc.array(write, { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('expire' as const) }) },
)

/** What happens in one transition, and how much later than the one before. */
export const transition: fc.Arbitrary<Transition> = fc.record({
  actions: fc.array(action, { minLength: 1, maxLength: 3 }),
  ms: fc.nat(25),
})

export interface Transition {
  readonly actions: readonly (typeof action extends fc.Arbitrary<infer Item> ? Item : never)[]
  readonly ms: number
}

export function definitionsOf({ workflow: { entry } }: Modules): Readonly<Record<string, EntryDefinition>> {
  const any = z.unknown()
  return {
    a: entry(any, { merge: 'replace' }),
    b: entry(any, { merge: 'replace', priority: 'high', dependsOn: ['a'] as never[] }),
    c: entry(any, { merge: 'replace', dependsOn: ['b'] as never[], pinned: true }),
    own: entry(any, { scope: 'private', merge: 'replace' }),
    team: entry(any, { scope: 'group', group: 'coders', merge: 'replace' }),
    world: entry(any, { scope: 'global', merge: 'replace' }),
    vault: entry(any, { sensitive: true, merge: 'replace' }),
    ['__proto__']: entry(any, { merge: 'replace' }),
  }
}

/** The board after one transition and what changed in it. */
export function move(
  { context }: Modules,
  board: Board,
  { actions, ms }: Transition,
): { readonly board: Board; readonly changes: readonly CellChange[] } {
  const at = board.at + ms
  let next = board.begin(at, String(at), board.globals)
  for (const act of actions) {
    if (act.kind === 'expire') {
      next = next.expire(at)
      continue
    }
    const author: Author =
      act.by === 'workflow' ? context.WORKFLOW_AUTHOR : { kind: 'agent', id: act.by, type: 'coders' }
    const asked = act.writes.map(({ key, kind, value, narrow, priority, pinned, ttlMs }): [string, unknown] => {
      const where = {
        ...(narrow && (key === 'a' || key === 'b') ? { scope: 'private' as const } : {}),
        ...(act.by === 'workflow' && (key === 'own' || narrow) ? { holder: 'ann' } : {}),
      }
      if (kind === 'drop') return [key, context.drop(where)]
      return [key, context.put(value, { ...where, ...defined({ priority, pinned, ttlMs }) })]
    })
    const update = context.prepareUpdate(
      {
        catalogue: board.catalogue,
        author,
        access: undefined,
        id: next.nextUpdateId,
        at,
        lineage: [],
        seen: () => 'unknown',
        others: () => [],
      },
      Object.fromEntries(asked),
    )
    if (update.kind === 'update') next = next.apply(update)
  }
  const changes = next.transcript.flatMap(({ result }) => (result.kind === 'accepted' ? result.changes : []))
  return { board: next, changes }
}

function defined<Fields extends object>(fields: Fields): { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never
}
