// REQUIREMENTS 14 to 40: scopes, priorities, filters and secrets.
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, entry, inferPriority, inferScope, PRIORITIES, put, READY_FILTERS, SCOPES } from 'callboard'
import type { EntryInfo } from 'callboard'
import { createGate, createWorld, idle, together } from '../runtime/world.ts'

const text = z.string()

describe('scopes', () => {
  it('are global, workflow, group and private, from the widest to the narrowest', () => {
    expect(SCOPES).toEqual(['global', 'workflow', 'group', 'private'])
  })

  it('named by an agent replace what it sees by default; its own entries stay visible', async () => {
    const { runtime } = await createWorld()
    const board = defineContext({
      'all.note': entry(text, { scope: 'global', default: 'everybody' }),
      'run.note': entry(text, { default: 'the run' }),
      'own.note': entry(text, { scope: 'private' }),
    })
    const ready = createGate()
    const agent = (scopes?: readonly ['global']) =>
      board.agent({
        reads: ['*'],
        writes: ['own.*'],
        ...(scopes === undefined ? {} : { scopes }),
        async run({ update, view, type }) {
          await update({ 'own.note': `of ${type}` })
          return void (type === 'narrow' ? seen.narrow.push(...view.keys()) : seen.wide.push(...view.keys()))
        },
      })
    const seen = { narrow: [] as string[], wide: [] as string[] }
    const run = await runtime.start(together(board, { narrow: agent(['global']), wide: agent() }))
    await run.done
    ready.open()
    expect(seen.narrow.sort()).toEqual(['all.note', 'own.note'])
    expect(seen.wide.sort()).toEqual(['all.note', 'own.note', 'run.note'])
  })

  it('are guessed from the key only where a catalogue asks for it', async () => {
    expect(['global_rates', 'private_notes', 'shared', 'anything'].map(inferScope)).toEqual([
      'global',
      'private',
      'workflow',
      'workflow',
    ])
    const { runtime } = await createWorld()
    const guessing = await runtime.start(idle(defineContext({ '*': entry(z.unknown(), { infer: true }) })))
    await guessing.update({ global_rates: 1, plain: { shared: true } })
    expect(guessing.entry('global_rates')?.scope).toBe('global')
    expect(guessing.entry('plain')?.scope).toBe('workflow')
    const plain = await runtime.start(idle(defineContext({ '*': entry(z.unknown()) })))
    await plain.update({ global_other: 1 })
    expect(plain.entry('global_other')?.scope).toBe('workflow')
  })

  it('keep one agent from writing the private entry of another', async () => {
    const { runtime } = await createWorld()
    const board = defineContext({ note: entry(text, { scope: 'private' }) })
    const written = createGate()
    const results: unknown[] = []
    const owner = board.agent({
      reads: ['note'],
      writes: ['note'],
      async run({ update, view }) {
        await update({ note: 'mine' })
        written.open()
        return view.get('note')
      },
    })
    const thief = board.agent({
      reads: ['note'],
      writes: ['note'],
      async run({ tryUpdate }) {
        await written.passed
        results.push(await tryUpdate({ note: put('stolen', { holder: 'owner' }) }))
        results.push(await tryUpdate({ note: 'its own' }))
      },
    })
    const run = await runtime.start(together(board, { owner, thief }))
    await run.done
    expect(results).toMatchObject([
      { kind: 'refused', reason: 'scope' },
      { kind: 'accepted', versions: { note: 1 } },
    ])
    const notes = run.entries().map(({ holder, value, owner: by, version }) => ({ holder, value, by, version }))
    expect(notes).toContainEqual({ holder: 'owner', value: 'mine', by: 'owner', version: 1 })
    expect(notes).toContainEqual({ holder: 'thief', value: 'its own', by: 'thief', version: 1 })
  })
})

describe('priorities', () => {
  it('rank critical, high, medium, low, and order what is delivered; newest first within one', async () => {
    expect(PRIORITIES).toEqual(['critical', 'high', 'medium', 'low'])
    const { runtime, clock } = await createWorld()
    const board = defineContext({ '*': entry(text) })
    const agent = board.agent({ reads: ['*'], run: () => {} })
    const run = await runtime.start(together(board, { agent }, { staysOpen: true }))
    for (const [key, priority] of [
      ['old-low', 'low'],
      ['old-high', 'high'],
      ['medium', 'medium'],
      ['critical', 'critical'],
      ['new-high', 'high'],
      ['new-low', 'low'],
    ] as const) {
      await run.update({ [key]: put(key, { priority }) })
      await clock.advance(1)
    }
    const order = ['critical', 'new-high', 'old-high', 'medium', 'new-low', 'old-low']
    expect(run.view('agent').keys()).toEqual(order)
  })

  it('are guessed from key and value where a catalogue asks for it; one that is none is passed over', async () => {
    expect(['error_state', 'workflow_status', 'security_context'].map((key) => inferPriority(key, 1))).toEqual(
      Array.from({ length: 3 }, () => 'critical'),
    )
    expect(
      ['user_preferences', 'calculation_results', 'validation_results'].map((key) => inferPriority(key, 1)),
    ).toEqual(Array.from({ length: 3 }, () => 'high'))
    expect(inferPriority('task', { priority: 'low' })).toBe('low')
    expect(inferPriority('task', { priority: 'urgent!' })).toBe('medium')
    expect(inferPriority('task', 'text')).toBe('medium')
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(defineContext({ '*': entry(z.unknown(), { infer: true }) })))
    await run.update({ error_state: 'x', odd: { priority: 'urgent!' }, task: { priority: 'high' } })
    const priorities = ['error_state', 'odd', 'task'].map((key) => run.entry(key)?.priority)
    expect(priorities).toEqual(['critical', 'medium', 'high'])
  })

  it('that are invalid refuse a whole update and leave no half of it', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(defineContext({ '*': entry(text) })))
    const invalid = put('b', { priority: 'urgent' as never })
    expect(await run.tryUpdate({ a: 'a', b: invalid, c: 'c' })).toMatchObject({ kind: 'refused', key: 'b' })
    expect(run.entries()).toEqual([])
  })

  it('never cost an entry its place: a full board refuses what is new and drops nothing', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(defineContext({ '*': entry(text) }, { limits: { maxEntries: 2 } })))
    await run.update({ a: put('a', { priority: 'low' }), b: put('b', { priority: 'critical' }) })
    expect(await run.tryUpdate({ c: put('c', { priority: 'critical' }) })).toMatchObject({
      kind: 'refused',
      reason: 'limit',
      key: 'c',
    })
    expect(
      run
        .entries()
        .map(({ key }) => key)
        .sort(),
    ).toEqual(['a', 'b'])
    await run.update({ b: 'still writable' })
    expect(run.get('b')).toBe('still writable')
  })
})

describe('the ready filters', () => {
  const info = (key: string, priority: EntryInfo['priority'] = 'medium'): EntryInfo => ({ key, priority }) as EntryInfo
  const passing = (filter: (each: EntryInfo) => boolean, keys: readonly string[]): readonly string[] =>
    keys.filter((key) => filter(info(key)))

  it('let a web extractor see what its words name, whatever their case, and critical and high entries', () => {
    const { webExtractor } = READY_FILTERS
    const keys = ['Extraction_Rules', 'validation', 'last_ERROR', 'credential', 'website_url', 'revenue', 'notes']
    expect(passing(webExtractor, keys)).toEqual(keys.slice(0, 5))
    expect([info('notes', 'critical'), info('notes', 'high'), info('notes', 'low')].map(webExtractor)).toEqual([
      true,
      true,
      false,
    ])
  })

  it('let a financial calculator see what its words name, and critical entries only', () => {
    const { financialCalculator } = READY_FILTERS
    const keys = ['Financial', 'revenue', 'calculation', 'exchange', 'currency', 'precision', 'website']
    expect(passing(financialCalculator, keys)).toEqual(keys.slice(0, 6))
    expect([info('notes', 'critical'), info('notes', 'high')].map(financialCalculator)).toEqual([true, false])
  })

  it('let a report generator see what its words name, and critical and high entries', () => {
    const { reportGenerator } = READY_FILTERS
    const keys = ['processed', 'Template', 'format', 'output', 'report', 'chart', 'currency']
    expect(passing(reportGenerator, keys)).toEqual(keys.slice(0, 6))
    expect([info('notes', 'high'), info('notes', 'medium')].map(reportGenerator)).toEqual([true, false])
  })
})

describe('a view', () => {
  it('has values, versions and dependencies of what an agent sees, and nothing for a run that is unknown', async () => {
    const { runtime } = await createWorld()
    const board = defineContext({
      a: entry(text),
      b: entry(text),
      c: entry(text, { dependsOn: ['a', 'b'] }),
      hidden: entry(text, { scope: 'private' }),
    })
    const agent = board.agent({ reads: ['*'], run: () => {} })
    const run = await runtime.start(together(board, { agent }, { staysOpen: true }))
    await run.update({ a: '1', c: '3', hidden: put('x', { holder: 'other' }) })
    const view = run.view('agent')
    expect(view.toObject()).toEqual({ a: '1', c: '3' })
    expect(view.entry('c')).toMatchObject({ version: 1, dependsOn: ['a', 'b'], metadata: { created_by: 'outside' } })
    expect(new Set(view.entries().flatMap(({ dependsOn }) => dependsOn))).toEqual(new Set(['a', 'b']))
    expect(runtime.get('no such run')).toBeUndefined()
  })
})

describe('what looks like a secret', () => {
  const sensitive = async (
    key: string,
    value: unknown,
    metadata?: Readonly<Record<string, unknown>>,
  ): Promise<boolean> => {
    const { runtime } = await createWorld()
    const run = await runtime.start(idle(defineContext({ '*': entry(z.unknown()) })))
    await run.update({ [key]: put(value, metadata === undefined ? {} : { metadata }) })
    return run.entry(key)?.sensitive === true
  }

  it.each([
    ['a telling name inside', 'config', { db: { password: 'hunter22' } }],
    ['a nested token', 'settings', [{ apiKey: 'abcdef' }]],
    ['a private key', 'note', '-----BEGIN PRIVATE KEY-----\nMIIE'],
    ['a bearer token', 'header', 'Authorization: Bearer abcdefghijklmnop1234'],
  ])('is sensitive: %s', async (_what, key, value) => {
    expect(await sensitive(key, value)).toBe(true)
  })

  it.each([
    ['monkey', 'a monkey'],
    ['keyboard', 'qwerty'],
    ['keyword_list', ['one', 'two']],
    ['usage', { tokens_used: 5 }],
  ])('is not: %s', async (key, value) => {
    expect(await sensitive(key, value)).toBe(false)
  })

  it('is sensitive when its metadata says so', async () => {
    expect(await sensitive('plain', 'text', { sensitive: true })).toBe(true)
  })

  it('is sensitive by the entry’s own name', async () => {
    const names = ['db_password', 'credentials.github', 'api_key', 'auth_token', 'client_secret']
    expect(await Promise.all(names.map((name) => sensitive(name, 'x')))).toEqual(names.map(() => true))
  })
})
