import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, entry, isCallboardError } from 'callboard'
import type { EntryDefinition } from 'callboard'

const any = z.unknown()

function errorOf(definitions: Readonly<Record<string, EntryDefinition>>): { code: string; message: string } {
  try {
    defineContext(definitions as never)
  } catch (error) {
    if (isCallboardError(error)) return error
    throw error
  }
  throw new Error('the catalogue was accepted')
}

const made = (...from: string[]): EntryDefinition => entry(any, { dependsOn: from as never[] })

describe('a catalogue', () => {
  it.each([
    ['a circle of two', { a: made('b'), b: made('a') }, 'a → b → a'],
    [
      'a circle of three, wherever one enters it',
      { z: made('a'), a: made('b'), b: made('c'), c: made('a') },
      'a → b → c → a',
    ],
    ['an entry made from itself', { a: made('a') }, 'a → a'],
    ['a circle through a family', { 'note.*': made('sum'), sum: made('note.1') }, 'sum → note.* → sum'],
  ])('refuses %s and spells it out', (_what, definitions, circle) => {
    const error = errorOf(definitions)
    expect(error.code).toBe('catalogue.cycle')
    expect(error.message).toContain(circle)
  })

  it.each([
    [
      'a dependency nobody declared',
      { a: made('plna') },
      'entry "a" depends on "plna", which is no key of the catalogue',
    ],
    ['a pattern as a dependency', { 'r.*': made(), a: made('r.*') }, 'name keys instead of a pattern'],
    [
      'an unknown policy',
      { a: entry(any, { merge: 'mrege' }) },
      'unknown policy "mrege"; known are smart, deep, shallow',
    ],
    ['an unknown scope', { a: entry(any, { scope: 'public' as never }) }, 'unknown scope "public"'],
    ['an unknown priority', { a: entry(any, { priority: 'urgent' as never }) }, 'unknown priority "urgent"'],
    ['a group without a group scope', { a: entry(any, { group: 'coders' }) }, "group needs scope: 'group'"],
    ['a life time that is none', { a: entry(any, { ttlMs: -1 }) }, 'ttlMs is a positive number'],
    ['a life time without end', { a: entry(any, { ttlMs: Infinity }) }, 'leave it out'],
    ['an empty key', { '': entry(any) }, 'a key is a non-empty'],
    ['a key of more than 1,024 characters', { ['k'.repeat(1_025)]: entry(any) }, 'at most 1,024 characters'],
    [
      'metadata that cannot be frozen',
      { a: entry(any, { metadata: { at: new Date() } }) },
      'metadata must be an object of plain JSON data',
    ],
  ])('refuses %s', (_what, definitions, rule) => {
    const error = errorOf(definitions as Readonly<Record<string, EntryDefinition>>)
    expect(error.code).toBe('catalogue.invalid')
    expect(error.message).toContain(rule)
  })

  it('accepts what several entries are made from together', () => {
    expect(() => defineContext({ a: entry(any), b: made('a'), c: made('a', 'b') } as never)).not.toThrow()
  })

  it('finds a key by its exact name before a family, and by the longest family', () => {
    const { catalogue } = defineContext({
      '*': entry(any, { priority: 'low' }),
      'note.*': entry(any, { priority: 'high' }),
      'note.1': entry(any, { priority: 'critical' }),
    })
    expect(['note.1', 'note.2', 'other'].map((key) => catalogue.find(key)?.priority)).toEqual([
      'critical',
      'high',
      'low',
    ])
    expect(catalogue.find('')).toBeUndefined()
  })

  it('keeps nothing of the objects it was made from', () => {
    const metadata = { tags: ['a'] }
    const { catalogue } = defineContext({ a: entry(any, { metadata }) })
    metadata.tags.push('b')
    expect(catalogue.find('a')?.metadata).toEqual({ tags: ['a'] })
  })
})
