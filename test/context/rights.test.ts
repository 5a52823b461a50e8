// Who sees and writes what: scopes, groups, secrets, protection, grants (REQUIREMENTS 14 to 18 and 34 to 40).
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { drop, entry, put } from 'callboard'
import { BoardWorld } from './world.ts'

const any = z.unknown()

function createWorld(): BoardWorld {
  return new BoardWorld(
    {
      everywhere: entry(any, { scope: 'global' }),
      here: entry(any),
      team: entry(any, { scope: 'group', group: 'coders' }),
      'my.*': entry(any, { scope: 'private' }),
      'plain.*': entry(any),
      known: entry(any, { sensitive: true }),
      public_key: entry(any, { sensitive: false }),
      id: entry(any, { protected: true }),
    },
    {
      agents: {
        coder: { reads: ['*'], writes: ['*'], groups: ['coders'] },
        tester: { reads: ['*'], writes: ['*'], groups: ['testers'] },
        keeper: { reads: ['*'], writes: ['*'], grants: { sensitive: ['known', 'plain.*'], protected: ['id'] } },
        narrow: { reads: ['plain.*'], writes: [] },
        worldly: { reads: ['*'], writes: ['*'], scopes: ['global'] },
      },
    },
  )
}

describe('scopes', () => {
  it('show global and workflow entries to all, group entries to the group, private ones to their owner', () => {
    const world = createWorld()
    world.accept('coder', { everywhere: 1, here: 2, team: 3, 'my.notes': 4 })
    expect(world.view('coder').toObject()).toEqual({ everywhere: 1, here: 2, team: 3, 'my.notes': 4 })
    expect(world.view('tester').toObject()).toEqual({ everywhere: 1, here: 2 })
  })

  it('make the type of an agent a group of its own', () => {
    const world = createWorld()
    world.accept('coder', { here: put('among coders', { scope: 'group' }) })
    expect(world.view('coder', 'coder-2').get('here')).toBe('among coders')
    expect(world.view('tester').get('here')).toBeUndefined()
  })

  it('let two agents of one type have private entries of one key', () => {
    const world = createWorld()
    world.accept('workflow', { 'my.notes': put('one', { holder: 'coder-1' }) })
    world.accept('workflow', { 'my.notes': put('two', { holder: 'coder-2' }) })
    expect(world.view('coder', 'coder-1').get('my.notes')).toBe('one')
    expect(world.view('coder', 'coder-2').get('my.notes')).toBe('two')
  })

  it('are looked up from the narrowest outwards, so that a private entry shadows a wider one', () => {
    const world = createWorld()
    world.accept('workflow', { here: 'for all' })
    world.accept('coder', { here: put('for coders', { scope: 'group' }) })
    world.accept('coder', { here: put('for me', { scope: 'private' }) })
    expect(world.view('coder').get('here')).toBe('for me')
    expect(world.view('coder').keys()).toEqual(['here'])
    expect(world.view('coder', 'coder-2').get('here')).toBe('for coders')
    expect(world.view('tester').get('here')).toBe('for all')
    world.accept('coder', { here: drop({ scope: 'private' }) })
    expect(world.view('coder').get('here')).toBe('for coders')
  })

  it('can be narrowed for an agent, whose own entries stay visible', () => {
    const world = createWorld()
    world.accept('coder', { everywhere: 1, 'plain.theirs': 2 })
    world.accept('worldly', { 'plain.mine': 3, 'my.notes': 4 })
    expect(world.view('worldly').toObject()).toEqual({ everywhere: 1, 'plain.mine': 3, 'my.notes': 4 })
  })

  it('limit an agent to its reads besides', () => {
    const world = createWorld()
    world.accept('workflow', { here: 1, 'plain.a': 2 })
    expect(world.view('narrow').toObject()).toEqual({ 'plain.a': 2 })
    expect(() => world.view('narrow').getOrThrow('here')).toThrow(
      'narrow cannot read "here": it is not among the reads of agent type narrow',
    )
    expect(() => world.view('narrow').getOrThrow('plain.b')).toThrow('nothing narrow may see is there now')
  })

  it('cannot be reached by choosing an id', () => {
    const world = createWorld()
    world.accept('coder', { team: 1, 'my.notes': 2 })
    for (const id of ['coder_evil', 'coder', 'coders', 'keeper']) {
      const view = world.view('tester', id === 'coder' ? 'coder2' : id)
      expect([view.get('team'), view.get('my.notes')]).toEqual([undefined, undefined])
    }
  })
})

describe('secrets', () => {
  it.each([
    ['by declaration', { known: 'x' }, 'known'],
    ['by the name of the key', { 'plain.db_password': 'x' }, 'plain.db_password'],
    ['by the name of the key, whatever the value', { 'plain.apiKey': { id: 1 } }, 'plain.apiKey'],
    ['by a nested name', { 'plain.config': { db: { password: 'x' } } }, 'plain.config'],
    ['by metadata that says so', { 'plain.a': put('x', { metadata: { sensitive: true } }) }, 'plain.a'],
    ['by a secret in the metadata', { 'plain.b': put('x', { metadata: { api_key: 'k-1' } }) }, 'plain.b'],
  ])('are withheld without a grant: %s', (_how, changes, key) => {
    const world = createWorld()
    world.accept('coder', changes)
    expect(world.view('tester').entry(key)).toBeUndefined()
    expect(world.view('tester').keys()).toEqual([])
    expect(world.view('keeper').has(key)).toBe(true)
  })

  it('are not seen in ordinary words', () => {
    const world = createWorld()
    const ordinary = {
      'plain.monkey': 'george',
      'plain.keyboard': 'qwerty',
      'plain.keyword_list': ['a'],
      'plain.usage': { tokens_used: 5 },
    }
    world.accept('coder', ordinary)
    expect(world.view('tester').toObject()).toEqual(ordinary)
  })

  it('are not guessed where the catalogue says that it is none', () => {
    const world = createWorld()
    world.accept('coder', { public_key: 'ssh-ed25519 AAAA' })
    expect(world.view('tester').has('public_key')).toBe(true)
  })

  it('of its own private entries an owner may read', () => {
    const world = createWorld()
    world.accept('coder', { 'my.db_password': 'x' })
    expect(world.view('coder').get('my.db_password')).toBe('x')
    expect(world.view('coder').entry('my.db_password')?.sensitive).toBe(true)
  })

  it('stay secret when another value is written over them', () => {
    const world = createWorld()
    world.accept('coder', { 'plain.config': { password: 'x' } })
    world.accept('coder', { 'plain.config': put({ a: 1 }, { policy: 'replace' }) })
    expect(world.view('tester').has('plain.config')).toBe(false)
  })

  it('are redacted in prompts even for who may read them', () => {
    const world = createWorld()
    world.accept('coder', { known: 'hunter2' })
    const { text } = world.view('keeper').render({ maxTokens: 100 })
    expect(text).toContain('[redacted: sensitive]')
    expect(text).not.toContain('hunter2')
  })
})

describe('protection', () => {
  it('is lifted by a grant for that key, and by an explicit override from outside', () => {
    const world = createWorld()
    world.accept('workflow', { id: 'run-1' })
    world.refuse('coder', { id: 'run-2' })
    world.refuse('workflow', { id: 'run-2' }, { override: true })
    world.refuse('admin', { id: 'run-2' })
    world.accept('keeper', { id: 'run-2' })
    world.accept('admin', { id: 'run-3' }, { override: true })
    expect(world.board.get('id')).toBe('run-3')
    world.accept('keeper', { id: drop() })
    expect(world.board.has('id')).toBe(false)
  })

  it('cannot be claimed by an agent', () => {
    const world = createWorld()
    world.accept('workflow', { id: 'run-1' })
    expect(world.refuse('coder', { id: 'run-2' }, { override: true })).toMatchObject({ reason: 'protected' })
  })

  it('holds from the first write on, not before', () => {
    const world = createWorld()
    world.accept('coder', { id: 'run-1' })
    expect(world.refuse('coder', { id: 'run-2' })).toMatchObject({ reason: 'protected' })
  })
})
