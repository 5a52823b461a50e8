import { createMachine, fromCallback, stateIn } from 'xstate'
import { describe, expect, it } from 'vitest'

import { CHART_FORMAT, activePaths, chartOf, statePath, toJson } from '../../src/graph/index.ts'
import type { Chart, ChartState } from '../../src/graph/index.ts'
import { agents, release } from './machines.ts'

function find(chart: Chart, path: string): ChartState {
  const all = (state: ChartState): readonly ChartState[] => [state, ...state.states.flatMap(all)]
  const state = all(chart.root).find((candidate) => candidate.path === path)
  if (!state) throw new Error(`the chart has no state at ${JSON.stringify(path)}`)
  return state
}

const chart = chartOf(release, { agents })

describe('chartOf', () => {
  it('keeps every state with its kind and its place', () => {
    expect(find(chart, '').kind).toBe('compound')
    expect(find(chart, 'building').kind).toBe('parallel')
    expect(find(chart, 'building.code.writing').kind).toBe('atomic')
    expect(find(chart, 'released').kind).toBe('final')
    expect(find(chart, 'building').states.map(({ key }) => key)).toEqual(['code', 'docs', 'memory'])
  })

  it('knows shallow from deep history and where each begins', () => {
    expect(find(chart, 'building.memory').history).toEqual({ depth: 'deep', targets: [] })
    expect(find(chart, 'talk.last').history).toEqual({ depth: 'shallow', targets: ['talk.answered'] })
  })

  it('says of a transition what it is, when it happens, what guards it and where it leads', () => {
    expect(find(chart, 'planning').transitions).toMatchObject([
      { kind: 'invoke-done', label: 'planner done', actions: ['savePlan'], targets: ['building'] },
      { kind: 'invoke-error', label: 'planner failed', guard: 'not approved', targets: ['failed'] },
      { kind: 'after', label: 'after 500ms', delay: 500, actions: ['notify'], targets: [] },
      { kind: 'after', label: 'after patience', delay: 'patience', targets: ['failed'] },
    ])
    expect(find(chart, 'building').transitions.at(-1)).toMatchObject({
      kind: 'done',
      label: 'done',
      targets: ['released'],
    })
    expect(find(chart, 'talk.waiting').transitions.at(-1)).toMatchObject({ kind: 'always', event: '', label: 'always' })
  })

  it('keeps all targets of one transition, and whether the state is entered again', () => {
    const [, , jump] = find(chart, 'paused').transitions
    expect(jump?.targets).toEqual(['building.code.checking', 'building.docs.polished'])
    expect(find(chart, 'building').transitions.map(({ event, reenter }) => [event, reenter])).toEqual([
      ['PAUSE', false],
      ['RESTART', true],
      ['xstate.done.state.release.building', false],
    ])
  })

  it('shows what each invoked agent reads and writes', () => {
    expect(find(chart, 'building.code.writing').invokes).toEqual([
      {
        src: 'coder',
        id: 'first coder',
        name: 'first coder',
        reads: ['plan.*', 'credentials.github'],
        writes: ['code.*'],
      },
    ])
  })

  it('leaves out the events of the runtime, unless asked for them', () => {
    const events = (of: Chart): readonly string[] => of.root.transitions.map(({ event }) => event)
    expect(events(chart)).toEqual(['CANCEL'])
    expect(events(chartOf(release, { internalEvents: () => false }))).toEqual(['CANCEL', 'callboard.update'])
  })

  it('shows neither the timers that XState adds to entry and exit nor anything else nobody wrote', () => {
    expect(find(chart, 'planning')).toMatchObject({ entry: ['notify'], exit: [], tags: ['quiet'] })
    expect(find(chart, 'talk')).toMatchObject({ initial: { target: 'talk.waiting', actions: ['notify'] } })
  })

  it('tells a constant output from a computed one', () => {
    expect(find(chart, 'released').output).toEqual({ kind: 'value', json: '{"ok":true}' })
    expect(find(chart, 'cancelled').output).toEqual({ kind: 'computed', name: 'how far it came' })
  })

  it('is plain data, and the same for the same machine', () => {
    expect(structuredClone(chart)).toEqual(chart)
    expect(toJson(chartOf(release, { agents }))).toBe(toJson(chart))
    expect(JSON.parse(toJson(chart))).toEqual({ format: CHART_FORMAT, ...chart })
  })

  it('reads a delay in the unit people would use', () => {
    const machine = createMachine({ after: { 250: {}, 1500: {}, 30000: {}, 120000: {}, 7200000: {}, 86400000: {} } })
    expect(chartOf(machine).root.transitions.map(({ label }) => label)).toEqual(
      ['250ms', '1500ms', '30s', '2min', '2h', '1d'].map((text) => `after ${text}`),
    )
  })
})

describe('the name of a guard or an action', () => {
  function isReady(): boolean {
    return true
  }

  const guardOf = (guard: unknown): string | undefined => {
    const machine = createMachine({ on: { GO: { guard: guard as () => boolean } } })
    return chartOf(machine).root.transitions[0]?.guard
  }

  it('is what it describes itself as, before anything else', () => {
    expect(guardOf(Object.assign(isReady.bind(undefined), { describe: 'plan.tasks' }))).toBe('plan.tasks')
    expect(guardOf({ type: 'isReady', describe: 'plan is ready' })).toBe('plan is ready')
  })

  it('is the name it is registered under, or that of the function', () => {
    expect(guardOf('isReady')).toBe('isReady')
    expect(guardOf({ type: 'isOlderThan', params: { days: 3 } })).toBe('isOlderThan')
    expect(guardOf(isReady)).toBe('isReady')
  })

  it('is "inline" for a function without one', () => {
    expect(guardOf(() => true)).toBe('inline')
  })

  it('says where the machine must be', () => {
    expect(guardOf(stateIn('review.open'))).toBe('in review.open')
    expect(guardOf(stateIn({ review: 'open' }))).toBe('in {"review":"open"}')
  })

  it('is "inline" for logic that the machine holds itself, or the id of that machine', () => {
    const inner = createMachine({ id: 'inner' })
    const machine = createMachine({ invoke: [{ src: fromCallback(() => {}) }, { src: inner }] })
    expect(chartOf(machine).root.invokes.map(({ src }) => src)).toEqual(['inline', 'inner'])
  })
})

describe('paths', () => {
  it('tell a key with a dot from two keys', () => {
    expect(statePath(['a', 'b'])).toBe('a.b')
    expect(statePath(['a.b'])).toBe(String.raw`a\.b`)
    expect(statePath([])).toBe('')
    expect(statePath([''])).not.toBe('')
  })

  it('of active states follow from a snapshot value', () => {
    expect(activePaths({ building: { code: 'writing', docs: 'draft' } })).toEqual([
      'building',
      'building.code',
      'building.code.writing',
      'building.docs',
      'building.docs.draft',
    ])
  })
})
