// Actors: machines inside machines, spawned ones, and what they send to each other; promises, callbacks, observables.
import {
  assign,
  cancel,
  createMachine,
  enqueueActions,
  forwardTo,
  fromCallback,
  fromObservable,
  fromPromise,
  fromTransition,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
} from 'xstate'
import type { AnyActorRef, EventObject } from 'xstate'
import { note } from '../chart.ts'
import type { Chart } from '../chart.ts'

const inc = assign({ count: ({ context }: { context: { count: number } }) => context.count + 1 })

const light = createMachine({
  id: 'light',
  initial: 'red',
  states: {
    red: { on: { turn: 'green' } },
    green: { entry: note('green'), on: { turn: 'red', off: 'out' } },
    out: { type: 'final' },
  },
})

const counter = setup({}).createMachine({
  id: 'counter',
  context: { count: 0 } as never,
  on: {
    inc: { actions: [inc as never, note('counted')] },
    tell: { actions: sendParent(({ context }) => ({ type: 'told', count: context['count'] as number })) },
  },
})

const echo = createMachine({
  id: 'echo',
  on: {
    ping: { actions: sendParent({ type: 'pong' }) },
    late: { actions: sendParent({ type: 'pong' }, { delay: 40, id: 'late' }) },
    never: { actions: cancel('late') },
  },
})

const reducer = fromTransition(
  (state: { total: number }, event: EventObject) => (event.type === 'add' ? { total: state.total + 1 } : state),
  ({ input }: { input: { start: number } }) => ({ total: input.start }),
)

const doubles = fromPromise(async ({ input }: { input: number }) => input * 2)
const fails = fromPromise(async () => {
  throw new Error('no luck')
})
const never = fromPromise(() => new Promise(() => {}))

/** An observable of some values that come at once. */
const values = fromObservable(
  () =>
    ({
      subscribe: (observer: { next(value: number): void; complete(): void }) => {
        for (const value of [1, 2, 3]) observer.next(value)
        observer.complete()
        return { unsubscribe: () => {} }
      },
    }) as never,
)

const answers = fromCallback(({ sendBack, receive }) => {
  receive(({ type }) => sendBack({ type: `${type}.answered` }))
})

export const actorCharts: readonly Chart[] = [
  {
    name: 'a machine inside moves while the outer one stays',
    actors: { light },
    config: {
      initial: 'on',
      states: {
        on: { invoke: { src: 'light', id: 'light', onDone: 'off' }, on: { '*': { actions: forwardTo('light') } } },
        off: { type: 'final' },
      },
    },
    script: ['turn', 'turn', 'turn', 'off'],
  },
  {
    name: 'machines in machines in machines',
    actors: {
      outer: setup({
        actors: {
          middle: setup({ actors: { light } }).createMachine({
            id: 'middle',
            invoke: { src: 'light', id: 'light' },
            on: { turn: { actions: sendTo('light', { type: 'turn' }) } },
          }),
        },
      }).createMachine({
        id: 'outer',
        invoke: { src: 'middle', id: 'middle' },
        on: { turn: { actions: sendTo('middle', { type: 'turn' }) } },
      }),
    },
    config: { invoke: { src: 'outer', id: 'outer' }, on: { turn: { actions: sendTo('outer', { type: 'turn' }) } } },
    script: ['turn', 'turn', 'turn'],
  },
  {
    name: 'a machine invoked without a name inside a machine',
    actors: {
      outer: createMachine({
        id: 'outer',
        initial: 'on',
        states: {
          on: { invoke: { src: light, id: 'light', onDone: 'off' }, on: { '*': { actions: forwardTo('light') } } },
          off: { entry: sendParent({ type: 'out' }) },
        },
      }),
    },
    config: {
      initial: 'a',
      invoke: { src: 'outer', id: 'outer' },
      states: {
        a: { on: { out: 'b', turn: { actions: forwardTo('outer') }, off: { actions: forwardTo('outer') } } },
        b: {},
      },
    },
    script: ['turn', 'off', 'turn'],
  },
  {
    name: 'a child is asked and answers',
    actors: { echo },
    context: { count: 0 },
    config: {
      invoke: { src: 'echo', id: 'echo' },
      on: { ask: { actions: sendTo('echo', { type: 'ping' }) }, pong: { actions: inc } },
    },
    script: ['ask', 'ask', 'ask'],
  },
  {
    name: 'a child answers later, or not at all',
    actors: { echo },
    context: { count: 0 },
    config: {
      invoke: { src: 'echo', id: 'echo' },
      on: {
        ask: { actions: sendTo('echo', { type: 'late' }) },
        stop: { actions: sendTo('echo', { type: 'never' }) },
        pong: { actions: inc },
      },
    },
    script: ['ask', { after: 30 }, { after: 10 }, 'ask', { after: 20 }, 'stop', { after: 40 }],
  },
  {
    name: 'an event is sent to a child later',
    actors: { counter },
    config: {
      invoke: { src: 'counter', id: 'counter' },
      on: {
        soon: { actions: sendTo('counter', { type: 'inc' }, { delay: 50, id: 'soon' }) },
        stop: { actions: cancel('soon') },
      },
    },
    script: ['soon', { after: 40 }, { after: 10 }, 'soon', 'stop', { after: 60 }],
  },
  {
    name: 'a child keeps its context',
    actors: { counter },
    context: { told: 0 },
    config: {
      invoke: { src: 'counter', id: 'counter' },
      on: {
        inc: { actions: sendTo('counter', { type: 'inc' }) },
        tell: { actions: sendTo('counter', { type: 'tell' }) },
        told: { actions: assign({ told: ({ event }: { event: { count: number } }) => event.count }) },
      },
    },
    script: ['inc', 'inc', 'tell', 'inc', 'tell'],
  },
  {
    name: 'a child is stopped when its state is left, and begins anew',
    actors: { counter },
    config: {
      initial: 'on',
      states: {
        on: { invoke: { src: 'counter', id: 'counter' }, on: { inc: { actions: forwardTo('counter') }, out: 'off' } },
        off: { on: { in: 'on' } },
      },
    },
    script: ['inc', 'out', 'inc', 'in', 'inc', 'inc'],
  },
  {
    name: 'a child is told something as its state is left',
    actors: { echo },
    context: { count: 0 },
    config: {
      initial: 'on',
      on: { pong: { actions: inc } },
      states: {
        on: { invoke: { src: 'echo', id: 'echo' }, exit: sendTo('echo', { type: 'ping' }), on: { out: 'off' } },
        off: { on: { in: 'on' } },
      },
    },
    script: ['out', 'in', 'out'],
  },
  {
    name: 'input and output of a child',
    actors: {
      adds: setup({}).createMachine({
        id: 'adds',
        context: ({ input }: { input: unknown }) => ({ sum: (input as { from: number }).from }) as never,
        initial: 'on',
        states: {
          on: {
            on: {
              add: {
                target: 'end',
                actions: assign({ sum: ({ context }: { context: { sum: number } }) => context.sum + 1 }) as never,
              },
            },
          },
          end: { type: 'final' },
        },
        output: ({ context }: { context: unknown }) => context as never,
      }),
    },
    context: { result: 1 },
    config: {
      initial: 'work',
      states: {
        work: {
          invoke: {
            src: 'adds',
            id: 'adds',
            input: ({ context }: { context: { result: number } }) => ({ from: context.result }),
            onDone: {
              target: 'rest',
              actions: assign({ result: ({ event }: { event: { output: { sum: number } } }) => event.output.sum }),
            },
          },
          on: { add: { actions: forwardTo('adds') } },
        },
        rest: { on: { again: 'work' } },
      },
    },
    script: ['add', 'again', 'add', 'again'],
  },
  {
    name: 'a child that fails is handled',
    actors: {
      breaks: createMachine({
        id: 'breaks',
        on: {
          break: {
            actions: assign(() => {
              throw new Error('broken')
            }),
          },
        },
      }),
    },
    config: {
      initial: 'on',
      states: {
        on: {
          invoke: { src: 'breaks', id: 'breaks', onError: 'failed' },
          on: { break: { actions: forwardTo('breaks') } },
        },
        failed: { on: { again: 'on' } },
      },
    },
    script: ['break', 'again', 'break'],
  },
  {
    name: 'spawned machines, each by its id',
    actors: { counter },
    config: {
      on: {
        more: { actions: spawnChild('counter', { id: (({ event }: { event: { id: string } }) => event.id) as never }) },
        inc: {
          actions: sendTo((({ event }: { event: { id: string } }) => event.id) as never, { type: 'inc' } as never),
        },
        less: { actions: stopChild((({ event }: { event: { id: string } }) => event.id) as never) },
      },
    },
    script: [
      { type: 'more', id: 'one' } as never,
      { type: 'inc', id: 'one' } as never,
      { type: 'more', id: 'two' } as never,
      { type: 'inc', id: 'two' } as never,
      { type: 'inc', id: 'two' } as never,
      { type: 'less', id: 'one' } as never,
      { type: 'inc', id: 'two' } as never,
    ],
  },
  {
    name: 'a spawned machine whose reference is kept in context',
    actors: { counter },
    context: { ref: null, refs: [] },
    config: {
      on: {
        more: {
          actions: assign(
            ({
              spawn,
              context,
            }: {
              spawn: (src: string, options: object) => AnyActorRef
              context: { refs: AnyActorRef[] }
            }) => {
              const ref = spawn('counter', { id: `c${context.refs.length}` })
              return { ref, refs: [...context.refs, ref] }
            },
          ),
        },
        inc: {
          actions: sendTo(
            (({ context }: { context: { ref: AnyActorRef } }) => context.ref) as never,
            { type: 'inc' } as never,
          ),
        },
        first: {
          actions: sendTo(
            (({ context }: { context: { refs: AnyActorRef[] } }) => context.refs[0]) as never,
            { type: 'inc' } as never,
          ),
        },
      },
    },
    script: ['more', 'inc', 'more', 'inc', 'first', 'inc'],
  },
  {
    name: 'a spawned machine outlives the state that spawned it',
    actors: { light },
    config: {
      initial: 'a',
      states: {
        a: {
          entry: spawnChild('light', { id: 'kept' }),
          on: { go: 'b', turn: { actions: sendTo('kept', { type: 'turn' }) } },
        },
        b: {
          on: { turn: { actions: sendTo('kept', { type: 'turn' }) }, drop: { actions: stopChild('kept') }, go: 'c' },
        },
        c: {},
      },
    },
    script: ['turn', 'go', 'turn', 'turn', 'drop', 'go'],
  },
  {
    name: 'siblings talk through their parent',
    actors: { echo, counter },
    config: {
      type: 'parallel',
      states: { x: { invoke: { src: 'echo', id: 'echo' } }, y: { invoke: { src: 'counter', id: 'counter' } } },
      on: { go: { actions: sendTo('echo', { type: 'ping' }) }, pong: { actions: sendTo('counter', { type: 'inc' }) } },
    },
    script: ['go', 'go'],
  },
  {
    name: 'siblings know each other by reference',
    actors: {
      counter,
      shouts: setup({}).createMachine({
        id: 'shouts',
        on: { shout: { actions: sendTo(({ system }) => system.get('counter') as AnyActorRef, { type: 'inc' }) } },
      }),
    },
    config: {
      invoke: [
        { src: 'counter', id: 'counter', systemId: 'counter' },
        { src: 'shouts', id: 'shouts' },
      ],
      on: { go: { actions: sendTo('shouts', { type: 'shout' }) } },
    },
    script: ['go', 'go'],
  },
  {
    name: 'an actor with a system id is left and entered in one step',
    actors: { counter },
    config: {
      initial: 'on',
      states: {
        on: {
          invoke: { src: 'counter', id: 'counter', systemId: 'counter' },
          on: {
            again: { target: 'on', reenter: true },
            inc: {
              actions: sendTo(
                (({ system }: { system: { get(id: string): AnyActorRef } }) => system.get('counter')) as never,
                { type: 'inc' } as never,
              ),
            },
          },
        },
      },
    },
    script: ['inc', 'again', 'inc', 'inc'],
  },
  {
    name: 'a child is done as soon as it begins',
    actors: {
      brief: createMachine({
        id: 'brief',
        initial: 'end',
        states: { end: { type: 'final' } },
        output: () => 'brief' as never,
        entry: note('brief'),
      }),
    },
    context: { got: '' },
    config: {
      initial: 'a',
      states: {
        a: { on: { go: 'b' } },
        b: {
          invoke: {
            src: 'brief',
            id: 'brief',
            onDone: {
              target: 'a',
              actions: assign({ got: ({ event }: { event: { output: string } }) => event.output }),
            },
          },
        },
      },
    },
    script: ['go', 'go'],
  },
  {
    name: 'a child that is dropped in the step that began it',
    actors: { counter },
    config: {
      initial: 'a',
      states: {
        a: { on: { go: 'b' } },
        b: { invoke: { src: 'counter', id: 'counter' }, always: 'c' },
        c: { on: { go: 'a' } },
      },
    },
    script: ['go', 'go', 'go'],
  },
  {
    name: 'a ping-pong of many steps from one event',
    actors: {
      pong: createMachine({ id: 'pong', on: { ping: { actions: [note('ping'), sendParent({ type: 'pong' })] } } }),
    },
    context: { count: 0 },
    config: {
      invoke: { src: 'pong', id: 'pong' },
      on: {
        start: { actions: [assign({ count: 0 }), sendTo('pong', { type: 'ping' })] },
        pong: {
          actions: enqueueActions(({ enqueue, context }) => {
            const { count } = context as { count: number }
            enqueue.assign({ count: count + 1 } as never)
            enqueue(note('pong') as never)
            if (count < 4) enqueue.sendTo('pong', { type: 'ping' })
          }),
        },
      },
    },
    script: ['start', 'start'],
  },
  {
    name: 'a parent follows the snapshots of a child',
    actors: { light },
    context: { count: 0, last: '' },
    config: {
      invoke: {
        src: 'light',
        id: 'light',
        onSnapshot: {
          actions: [
            inc,
            assign({ last: ({ event }: { event: { snapshot: { value: string } } }) => event.snapshot.value }),
          ],
        },
      },
      on: { turn: { actions: sendTo('light', { type: 'turn' }) } },
    },
    script: ['turn', 'turn', 'turn'],
  },
  {
    name: 'history of a child',
    actors: {
      recalls: createMachine({
        id: 'recalls',
        initial: 'a',
        states: {
          a: { initial: 'x', on: { out: 'b' }, states: { x: { on: { next: 'y' } }, y: {}, hist: { type: 'history' } } },
          b: { on: { back: 'a.hist' } },
        },
      }),
    },
    config: { invoke: { src: 'recalls', id: 'recalls' }, on: { '*': { actions: forwardTo('recalls') } } },
    script: ['next', 'out', 'back', 'out'],
  },
  {
    name: 'a reducer',
    actors: { reducer },
    config: {
      invoke: { src: 'reducer', id: 'reducer', input: { start: 5 } },
      on: { '*': { actions: forwardTo('reducer') } },
    },
    script: ['add', 'other', 'add', 'add'],
  },
  {
    name: 'a promise that is kept',
    actors: { doubles },
    context: { value: 3 },
    config: {
      initial: 'a',
      states: {
        a: { on: { go: 'b' } },
        b: {
          invoke: {
            src: 'doubles',
            id: 'doubles',
            input: ({ context }: { context: { value: number } }) => context.value,
            onDone: {
              target: 'a',
              actions: assign({ value: ({ event }: { event: { output: number } }) => event.output }),
            },
          },
        },
      },
    },
    script: ['go', 'go', 'go'],
  },
  {
    name: 'a promise that is broken',
    actors: { fails },
    config: {
      initial: 'a',
      states: {
        a: { on: { go: 'b' } },
        b: { invoke: { src: 'fails', id: 'fails', onDone: 'a', onError: 'c' } },
        c: { on: { go: 'b' } },
      },
    },
    script: ['go', 'go'],
  },
  {
    name: 'a promise that is never settled, with a time limit',
    actors: { never },
    config: {
      initial: 'a',
      states: {
        a: { invoke: { src: 'never', id: 'never', onDone: 'b' }, after: { 50: 'late' }, on: { out: 'b' } },
        b: { on: { go: 'a' } },
        late: { on: { go: 'a' } },
      },
    },
    script: [{ after: 30 }, { after: 20 }, 'go', 'out', 'go'],
  },
  {
    name: 'a promise in a machine inside',
    actors: {
      outer: setup({ actors: { doubles } }).createMachine({
        id: 'outer',
        context: { value: 1 } as never,
        initial: 'a',
        states: {
          a: { on: { go: 'b' } },
          b: {
            invoke: {
              src: 'doubles',
              id: 'doubles',
              input: (({ context }: { context: { value: number } }) => context.value) as never,
              onDone: {
                target: 'a',
                actions: assign({ value: ({ event }: { event: { output: number } }) => event.output }) as never,
              },
            },
          },
        },
      }),
    },
    config: { invoke: { src: 'outer', id: 'outer' }, on: { go: { actions: forwardTo('outer') } } },
    script: ['go', 'go', 'go'],
  },
  {
    name: 'a callback that answers',
    actors: { answers },
    context: { count: 0 },
    config: {
      invoke: { src: 'answers', id: 'answers' },
      on: { ask: { actions: sendTo('answers', { type: 'ask' }) }, 'ask.answered': { actions: inc } },
    },
    script: ['ask', 'ask', 'ask'],
  },
  {
    name: 'an observable of values',
    actors: { values },
    context: { count: 0 },
    config: {
      initial: 'a',
      states: {
        a: { on: { go: 'b' } },
        b: { invoke: { src: 'values', id: 'values', onSnapshot: { actions: inc }, onDone: 'a' } },
      },
    },
    script: ['go', 'go'],
  },
  {
    name: 'timers of parent and child side by side',
    actors: {
      blinks: createMachine({
        id: 'blinks',
        initial: 'on',
        states: {
          on: { after: { 20: 'off' } },
          off: { entry: [note('off'), sendParent({ type: 'blink' })], after: { 20: 'on' } },
        },
      }),
    },
    context: { count: 0 },
    config: {
      invoke: { src: 'blinks', id: 'blinks' },
      initial: 'a',
      on: { blink: { actions: [inc, raise({ type: 'after blink' }, { delay: 5 })] } },
      states: {
        a: { after: { 50: 'b' }, on: { 'after blink': { actions: note('after') } } },
        b: { after: { 50: 'a' } },
      },
    },
    script: [{ after: 20 }, { after: 5 }, { after: 30 }, { after: 7 }, { after: 60 }],
  },
  {
    name: 'the end stops the children',
    actors: { counter },
    config: {
      initial: 'on',
      invoke: { src: 'counter', id: 'counter' },
      output: { bye: true },
      states: {
        on: { on: { inc: { actions: sendTo('counter', { type: 'inc' }) }, end: 'off' } },
        off: { type: 'final' },
      },
    },
    script: ['inc', 'end'],
  },
]
