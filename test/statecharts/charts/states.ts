// States, transitions, guards, history: everything XState's documentation shows of one machine without time or actors.
import { and, assign, emit, enqueueActions, log, not, or, raise, stateIn } from 'xstate'
import { note } from '../chart.ts'
import type { Chart } from '../chart.ts'

interface Counter {
  readonly context: { readonly count: number }
}
const increment = assign({ count: ({ context }: Counter) => context.count + 1 })
const isAtLeast =
  (least: number) =>
  ({ context }: Counter): boolean =>
    context.count >= least

const seen = (name: string): object => ({ entry: note(`enter ${name}`), exit: note(`exit ${name}`) })

export const stateCharts: readonly Chart[] = [
  {
    name: 'flat states',
    config: { initial: 'a', states: { a: { on: { go: 'b' } }, b: { on: { go: 'c', back: 'a' } }, c: {} } },
    script: ['go', 'back', 'ignored', 'go', 'go', 'go'],
  },
  {
    name: 'entry, exit and transition actions',
    config: {
      initial: 'a',
      ...seen('root'),
      states: {
        a: { ...seen('a'), on: { go: { target: 'b', actions: note('moving') } } },
        b: { ...seen('b'), on: { go: { target: 'a', actions: [note('back'), note('again')] } } },
      },
    },
    script: ['go', 'go', 'go'],
  },
  {
    name: 'nested states',
    config: {
      initial: 'a',
      states: {
        a: {
          ...seen('a'),
          initial: 'a1',
          on: { up: 'b' },
          states: {
            a1: { on: { in: 'a2' }, ...seen('a1') },
            a2: { initial: 'x', states: { x: { on: { in: 'y' } }, y: {} } },
          },
        },
        b: { ...seen('b'), on: { down: '#deep' }, initial: 'b1', states: { b1: {}, b2: { id: 'deep' } } },
      },
    },
    script: ['in', 'in', 'up', 'down', 'up'],
  },
  {
    name: 'an event handled by the ancestor',
    config: {
      initial: 'a',
      on: { any: { actions: note('root') } },
      states: {
        a: { initial: 'b', on: { any: { actions: note('a') } }, states: { b: { on: { any: 'c', leave: {} } }, c: {} } },
      },
    },
    script: ['any', 'any', 'leave', 'any'],
  },
  {
    name: 'parallel regions',
    config: {
      type: 'parallel',
      states: {
        x: { initial: 'off', states: { off: { on: { x: 'on', both: 'on' } }, on: { on: { x: 'off' } } } },
        y: { initial: 'off', states: { off: { on: { y: 'on', both: 'on' } }, on: { on: { y: 'off' } } } },
      },
    },
    script: ['x', 'both', 'y', 'x', 'both'],
  },
  {
    name: 'parallel regions in a nested state',
    config: {
      initial: 'work',
      states: {
        work: {
          type: 'parallel',
          on: { stop: 'rest' },
          states: {
            p: {
              initial: '1',
              states: { 1: { on: { next: '2' } }, 2: { type: 'parallel', states: { i: {}, j: {} } } },
            },
            q: { initial: '1', states: { 1: { on: { next: '2' } }, 2: { on: { next: '3' } }, 3: {} } },
          },
        },
        rest: { on: { go: 'work' } },
      },
    },
    script: ['next', 'next', 'stop', 'go', 'next'],
  },
  {
    name: 'one region asks where another is',
    config: {
      type: 'parallel',
      states: {
        light: { initial: 'red', states: { red: { on: { turn: 'green' } }, green: { on: { turn: 'red' } } } },
        car: {
          initial: 'waits',
          states: {
            waits: { on: { go: { guard: stateIn({ light: 'green' }), target: 'drives' } } },
            drives: { on: { stop: 'waits' } },
          },
        },
      },
    },
    script: ['go', 'turn', 'go', 'turn', 'stop', 'go'],
  },
  {
    name: 'one region changes another',
    config: {
      type: 'parallel',
      states: {
        p: { initial: '1', states: { 1: { on: { go: '2' } }, 2: { on: { reset: ['#p1', '#q1'] } } } },
        q: { initial: '1', states: { 1: { id: 'q1', on: { go: '2' } }, 2: {} } },
        r: { initial: '1', states: { 1: { id: 'p1' }, 2: {} } },
      },
    },
    script: ['go', 'reset', 'go'],
  },
  {
    name: 'shallow history',
    config: {
      initial: 'a',
      states: {
        a: {
          initial: 'a1',
          on: { out: 'b' },
          states: {
            a1: { on: { next: 'a2' } },
            a2: { initial: 'x', states: { x: { on: { next: 'y' } }, y: {} } },
            hist: { type: 'history' },
          },
        },
        b: { on: { back: 'a.hist' } },
      },
    },
    script: ['next', 'next', 'out', 'back', 'out', 'back'],
  },
  {
    name: 'deep history',
    config: {
      initial: 'a',
      states: {
        a: {
          initial: 'a1',
          on: { out: 'b' },
          states: {
            a1: { on: { next: 'a2' } },
            a2: { initial: 'x', states: { x: { on: { next: 'y' } }, y: {} } },
            hist: { type: 'history', history: 'deep' },
          },
        },
        b: { on: { back: 'a.hist' } },
      },
    },
    script: ['next', 'next', 'out', 'back', 'out', 'back'],
  },
  {
    name: 'deep history of parallel regions',
    config: {
      initial: 'on',
      states: {
        on: {
          type: 'parallel',
          on: { off: 'off' },
          states: {
            p: {
              initial: '1',
              states: { 1: { on: { p: '2' } }, 2: { initial: 'x', states: { x: { on: { p: 'y' } }, y: {} } } },
            },
            q: { initial: '1', states: { 1: { on: { q: '2' } }, 2: { on: { q: '1' } } } },
            hist: { type: 'history', history: 'deep' },
          },
        },
        off: { on: { on: 'on.hist' } },
      },
    },
    script: ['p', 'q', 'p', 'off', 'on', 'q', 'off', 'on'],
  },
  {
    name: 'history with a default target',
    config: {
      initial: 'b',
      states: {
        a: {
          initial: 'a1',
          on: { out: 'b' },
          states: { a1: {}, a2: { on: { next: 'a3' } }, a3: {}, hist: { type: 'history', target: 'a2' } },
        },
        b: { on: { back: 'a.hist' } },
      },
    },
    script: ['back', 'next', 'out', 'back'],
  },
  {
    name: 'final states and their parents',
    config: {
      initial: 'a',
      states: {
        a: {
          initial: 'x',
          onDone: { target: 'b', actions: note('a is done') },
          states: { x: { on: { next: 'y' } }, y: { on: { next: 'end' } }, end: { type: 'final' } },
        },
        b: { on: { next: 'end' } },
        end: { type: 'final', entry: note('the end') },
      },
    },
    script: ['next', 'next', 'next'],
  },
  {
    name: 'a parallel state is done when all its regions are',
    config: {
      initial: 'work',
      states: {
        work: {
          type: 'parallel',
          onDone: 'end',
          states: {
            p: {
              initial: 'on',
              onDone: { actions: note('p done') },
              states: { on: { on: { p: 'off' } }, off: { type: 'final' } },
            },
            q: {
              initial: 'on',
              onDone: { actions: note('q done') },
              states: { on: { on: { q: 'off' } }, off: { type: 'final' } },
            },
          },
        },
        end: { type: 'final' },
      },
    },
    script: ['p', 'p', 'q'],
  },
  {
    name: 'outputs of final states and of the machine',
    context: { got: 0 },
    config: {
      initial: 'a',
      output: ({ context }: { context: { got: number } }) => ({ total: context.got * 2 }),
      states: {
        a: {
          initial: 'x',
          onDone: { target: 'b', actions: assign({ got: ({ event }: { event: { output: number } }) => event.output }) },
          states: {
            x: { on: { give: 'end' } },
            end: { type: 'final', output: ({ event }: { event: { value: number } }) => event.value },
          },
        },
        b: { on: { close: 'end' } },
        end: { type: 'final' },
      },
    },
    script: [{ type: 'give', value: 21 } as never, 'close'],
  },
  {
    name: 'guards by context',
    context: { count: 0 },
    guards: { isMany: isAtLeast(3) },
    config: {
      initial: 'few',
      on: { add: { actions: increment } },
      states: { few: { on: { look: [{ guard: 'isMany', target: 'many' }, { actions: note('not yet') }] } }, many: {} },
    },
    script: ['look', 'add', 'add', 'look', 'add', 'look'],
  },
  {
    name: 'guards with parameters, and, or, not',
    context: { count: 0 },
    guards: {
      above: ({ context }: Counter, { least }: { least: number }) => context.count > least,
      isEven: ({ context }: Counter) => context.count % 2 === 0,
    },
    config: {
      initial: 'a',
      on: { add: { actions: increment } },
      states: {
        a: {
          on: {
            try: { guard: and([{ type: 'above', params: { least: 1 } } as never, 'isEven'] as never), target: 'b' },
          },
        },
        b: {
          on: {
            try: { guard: or([not('isEven' as never), { type: 'above', params: { least: 9 } }] as never), target: 'c' },
          },
        },
        c: {},
      },
    },
    script: ['try', 'add', 'try', 'add', 'try', 'try', 'add', 'try'],
  },
  {
    name: 'eventless transitions in a chain',
    context: { count: 0 },
    config: {
      initial: 'a',
      on: { add: { actions: increment } },
      states: {
        a: { always: { guard: isAtLeast(2), target: 'b' } },
        b: { entry: note('b'), always: 'c' },
        c: { entry: [note('c'), increment], always: [{ guard: isAtLeast(9), target: 'a' }, { target: 'd' }] },
        d: { entry: note('d'), always: { guard: isAtLeast(4), target: 'e' } },
        e: {},
      },
    },
    script: ['add', 'add', 'add'],
  },
  {
    name: 'eventless transitions in the initial state',
    config: {
      initial: 'a',
      states: { a: { always: { target: 'b', actions: note('at once') } }, b: { on: { go: 'a' } } },
    },
    script: ['go', 'go'],
  },
  {
    name: 'raised events',
    config: {
      initial: 'a',
      states: {
        a: { on: { go: { actions: [raise({ type: 'one' }), raise({ type: 'two' }), note('raised')] }, one: 'b' } },
        b: { entry: raise({ type: 'three' }), on: { two: 'c', three: { actions: note('too early') } } },
        c: { on: { three: 'd' } },
        d: {},
      },
    },
    script: ['go', 'go'],
  },
  {
    name: 'assign in every place',
    context: { log: [] as string[] },
    config: {
      initial: 'a',
      entry: assign({ log: ({ context }: Log) => [...context.log, 'root'] }),
      states: {
        a: {
          entry: assign({ log: ({ context }: Log) => [...context.log, 'in a'] }),
          exit: assign({ log: ({ context }: Log) => [...context.log, 'out a'] }),
          on: {
            go: { target: 'b', actions: assign({ log: ({ context, event }: Log) => [...context.log, event.type] }) },
          },
        },
        b: { entry: assign(({ context }: Log) => ({ log: [...context.log, 'in b'] })), on: { go: 'a' } },
      },
    },
    script: ['go', 'go'],
  },
  {
    name: 'context of many kinds',
    context: {
      when: new Date(0),
      map: new Map([['a', 1]]),
      set: new Set([1]),
      big: 1n,
      nested: { list: [{ deep: undefined }] },
    },
    config: {
      initial: 'a',
      states: {
        a: {
          on: {
            go: {
              target: 'b',
              actions: assign({
                when: ({ context }: Kinds) => new Date(context.when.getTime() + 5),
                map: ({ context }: Kinds) => new Map([...context.map, ['b', 2]]),
                big: ({ context }: Kinds) => context.big * 2n ** 70n,
              }),
            },
          },
        },
        b: { on: { go: 'a' } },
      },
    },
    script: ['go', 'go', 'go'],
  },
  {
    name: 'self-transitions with and without reentering',
    config: {
      initial: 'a',
      states: {
        a: {
          ...seen('a'),
          initial: 'x',
          on: {
            stay: { target: 'a', actions: note('stay') },
            again: { target: 'a', reenter: true },
            only: { actions: note('only') },
          },
          states: { x: { ...seen('x'), on: { next: 'y' } }, y: seen('y') },
        },
      },
    },
    script: ['next', 'only', 'stay', 'next', 'again'],
  },
  {
    name: 'a transition to a child of its source, reentering and not',
    config: {
      initial: 'a',
      states: {
        a: {
          ...seen('a'),
          initial: 'x',
          on: { in: '.y', re: { target: '.y', reenter: true } },
          states: { x: seen('x'), y: seen('y') },
        },
      },
    },
    script: ['in', 're', 'in'],
  },
  {
    name: 'wildcard events',
    config: {
      initial: 'a',
      states: {
        a: { on: { 'mouse.*': { actions: note('mouse') }, 'mouse.click': 'b', '*': { actions: note('any') } } },
        b: { on: { '*': 'a' } },
      },
    },
    script: ['mouse.move', 'key', 'mouse.click', 'whatever', 'mouse'],
  },
  {
    name: 'forbidden transitions',
    config: {
      initial: 'a',
      on: { reset: { actions: note('reset') } },
      states: { a: { on: { go: 'b' } }, b: { on: { reset: undefined, go: 'c' } }, c: { on: { reset: {} } } },
    },
    script: ['reset', 'go', 'reset', 'go', 'reset'],
  },
  {
    name: 'several targets at once',
    config: {
      initial: 'idle',
      states: {
        idle: { on: { go: ['#p2', '#q3'] } },
        work: {
          type: 'parallel',
          on: { stop: 'idle' },
          states: {
            p: { initial: 'p1', states: { p1: {}, p2: { id: 'p2' } } },
            q: { initial: 'q1', states: { q1: {}, q3: { id: 'q3', on: { next: 'q1' } } } },
          },
        },
      },
    },
    script: ['go', 'next', 'stop', 'go'],
  },
  {
    name: 'enqueued actions',
    context: { count: 0 },
    config: {
      initial: 'a',
      states: {
        a: {
          on: {
            go: {
              actions: enqueueActions(({ enqueue, check, context }) => {
                enqueue.assign({ count: (context as Counter['context']).count + 1 } as never)
                enqueue(note('enqueued') as never)
                if (check(isAtLeast(1) as never)) enqueue.raise({ type: 'enough' } as never)
              }),
            },
            enough: 'b',
          },
        },
        b: {},
      },
    },
    script: ['go', 'go', 'go'],
  },
  {
    name: 'actions by name and with parameters',
    context: { said: '' },
    actions: {
      say: assign({ said: (_args: unknown, { words }: { words: string }) => words }),
      shout: note('shout'),
    },
    config: {
      initial: 'a',
      states: {
        a: { on: { go: { target: 'b', actions: [{ type: 'say', params: { words: 'hello' } }, 'shout'] } } },
        b: {
          entry: { type: 'say', params: ({ event }: { event: { type: string } }) => ({ words: event.type }) },
          on: { go: 'a' },
        },
      },
    },
    script: ['go', 'go'],
  },
  {
    name: 'emitted events',
    context: { count: 0 },
    config: {
      on: {
        add: {
          actions: [increment, emit(({ context }: Counter) => ({ type: 'added', count: context.count }) as never)],
        },
        twice: { actions: [emit({ type: 'one' }), emit({ type: 'two' })] },
      },
    },
    script: ['add', 'twice', 'add'],
  },
  {
    name: 'logged lines do not matter',
    config: {
      initial: 'a',
      states: { a: { on: { go: 'b' } }, b: { entry: note('b'), on: { go: 'a' } } },
      on: { say: { actions: log(() => '') } },
    },
    script: ['go', 'say', 'go'],
  },
  {
    name: 'tags, meta and descriptions',
    config: {
      initial: 'a',
      states: {
        a: { tags: ['busy'], meta: { why: 1 }, description: 'first', on: { go: 'b' } },
        b: { tags: 'idle', on: { go: 'a' } },
      },
    },
    script: ['go', 'go'],
  },
  {
    name: 'an error in a machine without a handler for it',
    config: {
      initial: 'a',
      states: {
        a: {
          on: {
            go: 'b',
            fail: {
              actions: assign(() => {
                throw new Error('broken')
              }),
            },
          },
        },
        b: { on: { go: 'a' } },
      },
    },
    script: ['go', 'go'],
  },
  {
    name: 'events with payloads',
    context: { last: null as unknown },
    config: { on: { take: { actions: assign({ last: ({ event }: { event: { what?: unknown } }) => event.what }) } } },
    script: [
      { type: 'take', what: { list: [1, 'two', null], when: new Date(7) } } as never,
      { type: 'take', what: undefined } as never,
      { type: 'take', what: new Map([[1, new Set(['x'])]]) } as never,
    ],
  },
]

interface Log {
  readonly context: { readonly log: string[] }
  readonly event: { readonly type: string }
}

interface Kinds {
  readonly context: { readonly when: Date; readonly map: Map<string, number>; readonly big: bigint }
}
