// Time: delayed transitions and events, alone and several at once. What falls due while nothing runs comes afterwards.
import { assign, cancel, raise, sendTo, setup } from 'xstate'
import type { AnyActorRef } from 'xstate'
import { note } from '../chart.ts'
import type { Chart } from '../chart.ts'

const DAY_MS = 86_400_000

export const timeCharts: readonly Chart[] = [
  {
    name: 'a delayed transition',
    config: { initial: 'a', states: { a: { after: { 100: 'b' } }, b: { after: { 100: 'c' } }, c: {} } },
    script: [{ after: 50 }, { after: 49 }, { after: 1 }, { after: 99 }, { after: 1 }],
  },
  {
    name: 'several delays in one state',
    config: {
      initial: 'a',
      states: {
        a: { after: { 10: { actions: note('ten') }, 20: { actions: note('twenty') }, 30: 'b' } },
        b: { after: { 10: 'a' } },
      },
    },
    script: [{ after: 10 }, { after: 10 }, { after: 10 }, { after: 25 }, { after: 100 }],
  },
  {
    name: 'a delay that is left and entered again begins anew',
    config: {
      initial: 'a',
      states: { a: { on: { out: 'b' }, after: { 100: 'late' } }, b: { on: { in: 'a' } }, late: {} },
    },
    script: [{ after: 90 }, 'out', { after: 50 }, 'in', { after: 90 }, { after: 10 }],
  },
  {
    name: 'a delay that goes on through inner transitions',
    config: {
      initial: 'a',
      states: {
        a: { initial: 'x', after: { 100: 'late' }, states: { x: { on: { next: 'y' } }, y: { after: { 30: 'x' } } } },
        late: {},
      },
    },
    script: [{ after: 40 }, 'next', { after: 29 }, { after: 1 }, 'next', { after: 30 }, { after: 1 }],
  },
  {
    name: 'delays in parallel regions',
    config: {
      type: 'parallel',
      states: Object.fromEntries(
        [30, 20, 20, 10].map((delay, index) => [
          `r${index}`,
          {
            initial: 'a',
            states: {
              a: { after: { [delay]: { target: 'b', actions: note(`r${index}`) } } },
              b: { on: { back: 'a' } },
            },
          },
        ]),
      ),
    },
    script: [{ after: 10 }, { after: 10 }, 'back', { after: 15 }, { after: 100 }],
  },
  {
    name: 'delays by name and by function',
    context: { wait: 10 },
    delays: { short: 15, growing: ({ context }: { context: { wait: number } }) => context.wait },
    config: {
      initial: 'a',
      states: {
        a: { after: { short: 'b' } },
        b: {
          entry: assign({ wait: ({ context }: { context: { wait: number } }) => context.wait * 2 }),
          after: { growing: { target: 'b', reenter: true, actions: note('grown') } },
        },
      },
    },
    script: [{ after: 15 }, { after: 20 }, { after: 39 }, { after: 1 }, { after: 80 }],
  },
  {
    name: 'a guarded delay with an alternative',
    context: { ready: false },
    config: {
      initial: 'a',
      on: { ready: { actions: assign({ ready: true }) } },
      states: {
        a: {
          after: {
            50: [
              { guard: ({ context }: { context: { ready: boolean } }) => context.ready, target: 'go' },
              { target: 'wait' },
            ],
          },
        },
        wait: { after: { 50: 'a' } },
        go: {},
      },
    },
    script: [{ after: 50 }, { after: 25 }, 'ready', { after: 25 }, { after: 50 }],
  },
  {
    name: 'a delayed event',
    config: {
      initial: 'a',
      states: {
        a: { on: { go: { actions: raise({ type: 'later' }, { delay: 100 }) }, later: 'b' } },
        b: { on: { later: 'a' } },
      },
    },
    script: ['go', { after: 60 }, 'go', { after: 40 }, { after: 60 }, { after: 60 }],
  },
  {
    name: 'a delayed event is cancelled',
    config: {
      initial: 'a',
      states: {
        a: {
          on: {
            go: { actions: raise({ type: 'later' }, { delay: 100, id: 'alarm' }) },
            stop: { actions: cancel('alarm') },
            later: 'b',
          },
        },
        b: {},
      },
    },
    script: ['go', { after: 60 }, 'stop', { after: 100 }, 'go', { after: 100 }],
  },
  {
    name: 'an event is sent to the machine itself later',
    config: {
      initial: 'a',
      states: {
        a: {
          entry: sendTo(((args: { self: AnyActorRef }) => args.self) as never, { type: 'tick' } as never, {
            delay: 20,
            id: 'tick',
          }),
          on: { tick: 'b' },
        },
        b: {
          entry: sendTo(((args: { self: AnyActorRef }) => args.self) as never, { type: 'tick' } as never, {
            delay: 20,
          }),
          on: { tick: 'a', halt: 'c' },
        },
        c: { on: { tick: { actions: note('still comes') } } },
      },
    },
    script: [{ after: 19 }, { after: 1 }, { after: 20 }, { after: 20 }, 'halt', { after: 20 }],
  },
  {
    name: 'a delay of zero',
    config: { initial: 'a', states: { a: { on: { go: 'b' } }, b: { after: { 0: 'c' } }, c: {} } },
    script: ['go', { after: 0 }, { after: 1 }],
  },
  {
    name: 'a delay longer than a platform timer',
    config: {
      initial: 'a',
      states: { a: { after: { [60 * DAY_MS]: 'b' } }, b: { after: { [30 * DAY_MS]: 'c' } }, c: {} },
    },
    script: [
      { after: 30 * DAY_MS },
      { after: 30 * DAY_MS - 1 },
      { after: 1 },
      { after: 25 * DAY_MS },
      { after: 5 * DAY_MS },
    ],
  },
  {
    name: 'a chain of delays passes while nothing happens',
    config: {
      initial: 'a',
      states: Object.fromEntries(
        ['a', 'b', 'c', 'd'].map((name, index, all) => [
          name,
          { entry: note(name), after: { 10: all[(index + 1) % all.length] as string } },
        ]),
      ),
    },
    script: [{ after: 10 }, { after: 25 }, { after: 40 }],
  },
  {
    name: 'delays of a machine inside',
    actors: {
      clock: setup({}).createMachine({
        id: 'clock',
        initial: 'tick',
        states: {
          tick: { after: { 30: 'tock' } },
          tock: { entry: note('tock'), after: { 30: 'end' } },
          end: { type: 'final' },
        },
      }),
    },
    config: {
      initial: 'on',
      states: {
        on: { invoke: { src: 'clock', id: 'clock', onDone: 'off' }, after: { 100: 'late' } },
        off: { on: { on: 'on' } },
        late: {},
      },
    },
    script: [{ after: 20 }, { after: 20 }, { after: 20 }, 'on', { after: 29 }, { after: 31 }],
  },
]
