// A handler that throws, at once or later, harms nobody else: two runs of the same commands, one with well-behaved and
// one with failing handlers in the same places, are the same for everybody but the failing handlers themselves.
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { z } from 'zod'
import type { Runtime } from 'callboard'
import type { Modules } from './modules.ts'
import { startPuppets } from './puppets.ts'
import type { PuppetShow } from './puppets.ts'

const KEYS = ['a', 'b', 'c'] as const
const TOPICS = ['record', 'end', 'agent', 'progress', 'failure'] as const

const failure = fc.constantFrom('throws', 'rejects', 'throws nothing', 'rejects late')

const place = fc.oneof(
  fc.record({ kind: fc.constant('agent' as const), pattern: fc.constantFrom('*', ...KEYS), failure }),
  fc.record({ kind: fc.constant('outside' as const), pattern: fc.constantFrom('*', ...KEYS), failure }),
  fc.record({ kind: fc.constant('topic' as const), topic: fc.constantFrom(...TOPICS), failure }),
)

const command = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      by: fc.constantFrom('ann', 'ben', 'outside'),
      key: fc.constantFrom(...KEYS),
      value: fc.nat(9),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), key: fc.constantFrom(...KEYS), since: fc.nat(3) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('progress' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('settle' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('register' as const), place }) },
)

type Command = typeof command extends fc.Arbitrary<infer Item> ? Item : never
type Place = typeof place extends fc.Arbitrary<infer Item> ? Item : never
type Show = PuppetShow<'ann' | 'ben'>

export function propertyHandlers(modules: Modules): fc.IAsyncProperty<unknown> {
  return fc.asyncProperty(
    fc.array(place, { minLength: 1, maxLength: 4 }),
    fc.array(command, { maxLength: 12 }),
    async (places, commands) => {
      const polite = await live(modules, places, commands, false)
      const failing = await live(modules, places, commands, true)
      assert.deepEqual(failing, polite, 'nobody else notices')
    },
  )
}

/** What everybody but the handlers in question was told. */
async function live(
  modules: Modules,
  places: readonly Place[],
  commands: readonly Command[],
  fails: boolean,
): Promise<readonly string[]> {
  const lines: string[] = []
  const note = (what: string, content: unknown): void =>
    void lines.push(`${what} ${modules.base.canonicalJson(content)}`)
  const entry = modules.workflow.entry(z.unknown(), { merge: 'replace' })
  const show: Show = await startPuppets(
    modules,
    { a: entry, b: entry, c: entry } as never,
    { ann: { reads: ['*'], writes: ['*'] }, ben: { reads: ['*'], writes: ['*'] } },
    { inspect: () => misbehave(fails ? 'throws' : undefined) },
  )
  const { run, runtime, agents, clock } = show
  for (const each of places) register(show, each, fails)
  agents.ben.on('*', (notification) => note('ben is told', notification), { own: true })
  run.subscribe('*', (notification) => note('outside is told', notification))
  runtime.on('record', ({ record: { seq, kind } }) => note('record', [seq, kind]))
  for (const each of commands) await perform(show, each, fails, note)
  await clock.settle()
  const records = (await run.ledger()).map(({ seq, kind, author, at }) => ({ seq, kind, author, at }))
  note('in the end', [run.status, run.entries(), records, agents.ben.view.seq])
  await runtime.close()
  return lines
}

async function perform(
  show: Show,
  act: Command,
  fails: boolean,
  note: (what: string, content: unknown) => void,
): Promise<void> {
  const { run, agents, clock } = show
  switch (act.kind) {
    case 'write': {
      const writer = act.by === 'outside' ? run : agents[act.by as 'ann' | 'ben']
      note('update', await writer.tryUpdate({ [act.key]: act.value }))
      return
    }
    case 'wait':
      agents.ben.waitFor(act.key, { since: act.since, timeoutMs: Number.POSITIVE_INFINITY }).then(
        (value) => note('met', value),
        () => {},
      )
      return
    case 'progress':
      return agents.ann.progress({ message: 'on the way' })
    case 'settle':
      return clock.settle()
    case 'register':
      return register(show, act.place, fails)
    default:
      throw new TypeError(`unknown command ${String(act satisfies never)}`)
  }
}

function register({ run, runtime, agents }: Show, where: Place, fails: boolean): void {
  const handler = (): unknown => misbehave(fails ? where.failure : undefined)
  switch (where.kind) {
    case 'agent':
      agents.ann.on(where.pattern, handler, { own: true })
      return
    case 'outside':
      run.subscribe(where.pattern, handler, { by: 'somebody' })
      return
    case 'topic':
      ;(runtime as Runtime).on(where.topic, handler as () => void)
      return
    default:
      throw new TypeError(`unknown place ${String(where satisfies never)}`)
  }
}

function misbehave(how: (typeof failure extends fc.Arbitrary<infer Item> ? Item : never) | undefined): unknown {
  switch (how) {
    case undefined:
      return undefined
    case 'throws':
      throw new Error('a handler failed')
    case 'throws nothing':
      throw undefined
    case 'rejects':
      return Promise.reject(new Error('a handler failed'))
    case 'rejects late':
      return Promise.resolve().then(() => Promise.reject(new Error('a handler failed late')))
    default:
      throw new TypeError(`unknown failure ${String(how satisfies never)}`)
  }
}
