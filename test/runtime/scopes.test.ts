import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineContext, entry, put } from 'callboard'
import { createWorld, refusalOf, together } from './world.ts'

const board = defineContext({
  go: entry(z.boolean(), { outside: true }),
  task: entry(z.string()),
  notes: entry(z.string(), { scope: 'private' }),
  recipe: entry(z.string(), { scope: 'group', group: 'coders' }),
  handover: entry(z.string(), { scope: 'group' }),
  apiToken: entry(z.string()),
  settings: entry(z.record(z.string(), z.string())),
})

/** An agent that stays until `go` is written, so that its view can be looked at. */
const stays = (
  options: { readonly groups?: readonly string[]; readonly role?: string; readonly sensitive?: readonly string[] } = {},
) =>
  board.agent({
    reads: ['*'],
    writes: ['*'],
    groups: options.groups ?? [],
    ...(options.role === undefined ? {} : { role: options.role }),
    grants: { sensitive: options.sensitive ?? [] },
    run: async ({ waitFor, update, id }) => {
      await update({ notes: `of ${id}` })
      await waitFor('go')
    },
  })

describe('private entries', () => {
  it('are kept apart by agent and seen by their agent only', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(together(board, { ann: stays(), bob: stays() }))
    await run.update({ task: 'shared' })
    expect(run.view('ann').toObject()).toEqual({ notes: 'of ann', task: 'shared' })
    expect(run.view('bob').toObject()).toEqual({ notes: 'of bob', task: 'shared' })
    expect(
      run
        .entries()
        .map(({ key, scope, holder }) => [key, scope, holder])
        .toSorted(),
    ).toEqual([
      ['notes', 'private', 'ann'],
      ['notes', 'private', 'bob'],
      ['task', 'workflow', undefined],
    ])
  })

  it('may be written for an agent from outside, by naming whose they are', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(together(board, { ann: stays(), bob: stays() }))
    expect((await refusalOf(run.update({ notes: 'whose?' }))).message).toContain('say whose: put(value, { holder })')
    await run.update({ notes: put('for bob', { holder: 'bob' }) })
    expect(run.view('bob').get('notes')).toBe('for bob')
    expect(run.view('ann').get('notes')).toBe('of ann')
  })

  it('shadow wider entries of the same key for the one who holds them', async () => {
    const { runtime } = await createWorld()
    const shadows = board.agent({
      reads: ['task', 'go'],
      writes: ['task'],
      run: async ({ update, waitFor, view }) => {
        await waitFor('task')
        await update({ task: put('mine', { scope: 'private' }) })
        expect(view.get('task')).toBe('mine')
        await waitFor('go')
      },
    })
    const run = await runtime.start(together(board, { ann: shadows, bob: stays() }, { staysOpen: true }))
    await run.update({ task: 'for all' })
    await run.waitFor('task')
    await run.update({ go: true })
    expect(run.view('bob').get('task')).toBe('for all')
    expect(run.get('task')).toBe('for all')
    expect(run.view('ann').get('task')).toBe('mine')
  })
})

it('what is hidden behind an agent’s own private entry is not told of by a refusal, by what was left as it was, or when a branch is merged', async () => {
  const hidden = defineContext({
    strict: entry(z.string(), { outside: true, merge: 'reject', sensitive: true }),
    kept: entry(z.string(), { outside: true, merge: 'safe', sensitive: true }),
    go: entry(z.boolean(), { outside: true }),
  })
  const tell = async (secrets: object): Promise<readonly unknown[]> => {
    const told: unknown[] = []
    const definition = {
      reads: ['strict', 'kept', 'go'],
      writes: ['strict', 'kept'],
      run: async ({ tryUpdate, waitFor }) => {
        await tryUpdate({ strict: put('mine', { scope: 'private' }), kept: put('mine', { scope: 'private' }) })
        await waitFor('go')
        told.push(await tryUpdate({ kept: put('over', { scope: 'workflow' }) }))
        told.push(await tryUpdate({ strict: put('over', { scope: 'workflow', expectedVersion: 7 }) }))
      },
    } as const satisfies Parameters<typeof hidden.agent>[0]
    const { runtime, clock } = await createWorld()
    const agents = { ann: hidden.agent(definition), bob: hidden.agent({ ...definition, isolation: 'branch' }) }
    const run = await runtime.start(together(hidden, agents))
    await clock.settle()
    await run.update(secrets, { by: 'Ada' })
    await run.update({ go: true })
    await clock.settle()
    return told
  }
  const told = await tell({ strict: 'hers', kept: 'hers' })
  expect(told).toHaveLength(4)
  expect(JSON.stringify(told)).not.toMatch(/Ada|actualVersion|"kept"/)
  expect(told).toEqual(await tell({}))
})

describe('group entries', () => {
  it('are seen by the agents of the group, and by the group named after a type', async () => {
    const { runtime } = await createWorld()
    const coder = stays({ groups: ['coders'] })
    const run = await runtime.start(together(board, { ann: coder, bob: coder, eve: stays() }))
    await run.update({ recipe: 'secret sauce', handover: put('for eves', { group: 'eve' }) })
    expect(run.view('ann').get('recipe')).toBe('secret sauce')
    expect(run.view('bob').get('recipe')).toBe('secret sauce')
    expect(run.view('eve').get('recipe')).toBeUndefined()
    expect(run.view('eve').get('handover')).toBe('for eves')
    expect(run.view('ann').has('handover')).toBe(false)
  })

  it('cannot be written by somebody outside of the group, nor in another group’s name', async () => {
    const { runtime } = await createWorld()
    const refused: string[] = []
    const tries = board.agent({
      writes: ['recipe', 'handover'],
      run: async ({ tryUpdate }) => {
        for (const changes of [{ recipe: 'x' }, { handover: put('x', { group: 'coders' }) }, { handover: 'own' }]) {
          const result = await tryUpdate(changes)
          refused.push(result.kind === 'refused' ? result.message : 'accepted')
        }
      },
    })
    const run = await runtime.start(together(board, { tries }))
    await run.done
    expect(refused).toEqual([
      'tries may not write "recipe": agent type tries is not in group coders (its groups: "tries")',
      'tries may not write "handover": agent type tries is not in group coders (its groups: "tries")',
      'accepted',
    ])
    expect(run.entries()).toMatchObject([{ key: 'handover', scope: 'group', holder: 'tries' }])
  })
})

describe('sensitive entries', () => {
  it('are denied to every agent without a grant, and are found by name or content', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(
      together(board, { ann: stays(), root: stays({ sensitive: ['apiToken'] }), bob: stays({ groups: ['coders'] }) }),
    )
    await run.update({ apiToken: 'abc', settings: { theme: 'dark' } })
    expect(run.entry('apiToken')?.sensitive).toBe(true)
    expect(run.view('ann').keys().toSorted()).toEqual(['notes', 'settings'])
    expect(run.view('root').get('apiToken')).toBe('abc')
    await run.update({ settings: { theme: 'dark', password: 'hunter2' } })
    expect(run.view('ann').has('settings')).toBe(false)
    expect(run.view('root').has('settings')).toBe(false)
  })

  it('of one’s own private making are one’s own to read', async () => {
    const { runtime } = await createWorld()
    const keeps = board.agent({
      reads: ['notes', 'go'],
      writes: ['notes'],
      run: async ({ update, view, waitFor }) => {
        await update({ notes: 'password: hunter22' })
        expect(view.entry('notes')).toMatchObject({ value: 'password: hunter22', sensitive: true })
        await waitFor('go')
      },
    })
    const run = await runtime.start(together(board, { keeps }))
    await run.update({ go: true })
    await run.done
  })

  it('are not shown to an agent by its id: rights belong to the registered type', async () => {
    const { runtime } = await createWorld()
    const workflow = board.workflow({ agents: { root: stays({ sensitive: ['*'] }), guest: stays() } }).createMachine({
      type: 'parallel',
      states: { a: { invoke: { src: 'guest', id: 'root' } }, b: { invoke: { src: 'root', id: 'real' } } },
    })
    const run = await runtime.start(workflow)
    await run.update({ apiToken: 'abc' })
    expect(run.view('root').has('apiToken')).toBe(false)
    expect(run.view('real').has('apiToken')).toBe(true)
  })
})

describe('filters', () => {
  it('registered while a run goes on narrow its views at once, by type and by role, and can be withdrawn', async () => {
    const { runtime } = await createWorld()
    const run = await runtime.start(together(board, { ann: stays({ role: 'critic' }), bob: stays() }))
    await run.update({ task: 'x' })
    const before = run.view('ann')
    expect(before.has('task')).toBe(true)
    const withdraw = runtime.filters.forRole('critic', ({ key }) => key !== 'task')
    expect(run.view('ann').has('task')).toBe(false)
    expect(run.view('bob').has('task')).toBe(true)
    const withdrawType = runtime.filters.forType('bob', () => false)
    expect(run.view('bob').keys()).toEqual([])
    withdraw()
    withdraw()
    withdrawType()
    expect(run.view('ann').toObject()).toEqual(before.toObject())
    expect(run.view('bob').has('task')).toBe(true)
  })

  it('narrow the views of a run that has ended as well', async () => {
    const { runtime } = await createWorld()
    const reads = board.agent({ reads: ['*'], run: () => {} })
    const run = await runtime.start(together(board, { reads }, { staysOpen: true }))
    await run.update({ task: 'for some' })
    await run.send({ type: 'stop' })
    await run.done
    expect(run.view('reads').keys()).toEqual(['task'])
    const off = runtime.filters.forType('reads', () => false)
    expect(run.view('reads').keys()).toEqual([])
    off()
    expect(run.view('reads').keys()).toEqual(['task'])
  })

  it('that throw hide the entry, and never see a value', async () => {
    const { runtime } = await createWorld()
    const seen: object[] = []
    runtime.filters.forType('ann', (info) => {
      seen.push(info)
      if (info.key === 'task') throw new Error('no')
      return true
    })
    const run = await runtime.start(together(board, { ann: stays() }))
    await run.update({ task: 'x', settings: { a: 'b' } })
    expect(run.view('ann').keys()).not.toContain('task')
    expect(run.view('ann').keys()).toContain('settings')
    expect(seen.length).toBeGreaterThan(0)
    expect(seen.filter((info) => 'value' in info)).toEqual([])
  })

  it('that open a view again meet the waits on what they had hidden', async () => {
    const { runtime } = await createWorld()
    const withdraw = runtime.filters.forType('ann', ({ key }) => key !== 'task')
    const waits = board.agent({
      reads: ['task', 'go'],
      run: async ({ waitFor }) => void (await waitFor(['task', 'go'])),
    })
    const run = await runtime.start(together(board, { ann: waits }))
    await run.update({ task: 'x', go: true })
    expect(run.explain().waits).toHaveLength(1)
    withdraw()
    await run.done
  })
})

it('the view of an agent that was not invoked needs its type, and an unknown one is named', async () => {
  const { runtime } = await createWorld()
  const run = await runtime.start(together(board, { ann: stays() }))
  expect(run.view('someone', 'ann').keys()).toEqual([])
  expect(() => run.view('nobody')).toThrow('no agent type "nobody" is registered; registered are ann')
})
