import { and, assign, createMachine, fromPromise, not, raise, setup } from 'xstate'
import type { AnyStateMachine } from 'xstate'

const agent = fromPromise(async () => 'done')

/** What `board.when(...)` and `board.write(...)` put on the functions they make. */
const described = <Fn extends object>(fn: Fn, describe: string): Fn => Object.assign(fn, { describe })

/** A bit of everything: nested, parallel, both kinds of history, guards, delays, agents, outputs. */
export const release: AnyStateMachine = setup({
  actors: { planner: agent, coder: agent, reviewer: agent },
  actions: { notify: () => {}, savePlan: () => {} },
  guards: { approved: () => true, rejected: () => false },
  delays: { patience: 30_000 },
}).createMachine({
  id: 'release',
  version: '2.1.0',
  description: 'From an idea to a release.',
  initial: 'planning',
  on: { CANCEL: '.cancelled', 'callboard.update': { actions: raise({ type: 'TOLD' }) } },
  states: {
    planning: {
      tags: ['quiet'],
      entry: 'notify',
      invoke: {
        src: 'planner',
        onDone: { target: 'building', actions: 'savePlan' },
        onError: { target: 'failed', guard: not('approved') },
      },
      after: { 500: { actions: 'notify' }, patience: 'failed' },
    },
    building: {
      type: 'parallel',
      on: { PAUSE: 'paused', RESTART: { target: 'building', reenter: true } },
      onDone: 'released',
      states: {
        code: {
          initial: 'writing',
          states: {
            writing: { invoke: { src: 'coder', id: 'first coder', onDone: 'checking' } },
            checking: {
              invoke: { src: 'reviewer', onDone: [{ guard: 'approved', target: 'written' }, { target: 'writing' }] },
            },
            written: { type: 'final' },
          },
        },
        docs: {
          initial: 'draft',
          states: {
            draft: { on: { POLISH: 'polished', SAVE: { actions: 'notify' } } },
            polished: { type: 'final' },
          },
        },
        memory: { type: 'history', history: 'deep' },
      },
    },
    paused: {
      on: {
        RESUME: 'building.memory',
        ASK: 'talk.last',
        JUMP: { target: ['building.code.checking', 'building.docs.polished'] },
        CANCEL: {},
      },
    },
    talk: {
      initial: { target: 'waiting', actions: 'notify' },
      exit: assign({ asked: 1 }),
      states: {
        last: { type: 'history', target: 'answered' },
        waiting: {
          always: { guard: described(() => true, 'question.answer'), target: 'answered' },
          on: { HINT: { target: 'waiting', reenter: true } },
        },
        answered: { on: { BACK: '#release.paused' } },
      },
    },
    released: { type: 'final', output: { ok: true } },
    failed: { on: { RETRY: { target: 'planning', guard: and(['approved', not('rejected')]) } } },
    cancelled: { type: 'final', output: described(() => 1, 'how far it came') },
  },
})

/** A line of agents, as most workflows are. */
export const pipeline: AnyStateMachine = setup({
  actors: { researcher: agent, analyst: agent, planner: agent, coder: agent, tester: agent },
}).createMachine({
  id: 'pipeline',
  initial: 'research',
  states: {
    research: { invoke: { src: 'researcher', onDone: 'analysis', onError: 'failed' } },
    analysis: { invoke: { src: 'analyst', onDone: 'planning', onError: 'failed' } },
    planning: { invoke: { src: 'planner', onDone: 'coding', onError: 'failed' } },
    coding: { invoke: { src: 'coder', onDone: 'testing', onError: 'failed' } },
    testing: { invoke: { src: 'tester', onDone: 'finished', onError: 'coding' } },
    finished: { type: 'final' },
    failed: { type: 'final' },
  },
})

export const agents = new Map([
  ['researcher', { reads: ['question'], writes: ['research.*'] }],
  ['analyst', { reads: ['research.*'], writes: ['analysis.*'] }],
  ['planner', { reads: ['analysis.*', 'research.*'], writes: ['plan.*'] }],
  ['coder', { reads: ['plan.*', 'credentials.github'], writes: ['code.*'] }],
  ['reviewer', { reads: ['code.*'], writes: ['review.result'] }],
  ['tester', { reads: ['code.*', 'plan.tasks'], writes: ['evaluation.result'] }],
])

/** Few states, many ways between them. */
export const busy: AnyStateMachine = createMachine({
  id: 'ticket',
  initial: 'open',
  states: {
    open: {
      on: {
        ASSIGN: { target: 'assigned', guard: 'hasAssignee', actions: ['remember', 'tell'] },
        CLOSE: 'closed',
        DUPLICATE: { target: 'closed', actions: 'link' },
        SNOOZE: 'snoozed',
        TAG: { actions: 'tag' },
      },
      after: { 86400000: 'stale' },
    },
    assigned: {
      on: {
        UNASSIGN: 'open',
        START: 'working',
        CLOSE: 'closed',
        SNOOZE: 'snoozed',
        ASSIGN: { target: 'assigned', reenter: true },
      },
    },
    working: {
      on: { STOP: 'assigned', RESOLVE: 'resolved', BLOCK: 'blocked', PING: { target: 'working', reenter: true } },
    },
    blocked: { on: { UNBLOCK: 'working', CLOSE: 'closed' }, after: { patience: 'stale' } },
    snoozed: { on: { WAKE: 'open' }, after: { 3600000: 'open' } },
    stale: { on: { TOUCH: 'open', CLOSE: 'closed' } },
    resolved: { on: { REOPEN: 'open', ACCEPT: { target: 'closed', guard: 'isReporter' } } },
    closed: { on: { REOPEN: { target: 'open', guard: 'mayReopen' } } },
  },
})
