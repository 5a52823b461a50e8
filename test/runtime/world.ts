// What the runtime's tests share: a runtime on a virtual clock, and workflows whose agents all run at the same time.
import { onTestFinished } from 'vitest'
import type { AnyActorLogic } from 'xstate'
import { createRuntime, isCallboardError } from 'callboard'
import type { CallboardError, ContextDefinition, Run, Runtime, RuntimeOptions, Workflow } from 'callboard'
import { createTestClock } from '../support/clock.ts'
import type { TestClock } from '../support/clock.ts'

export interface World {
  readonly clock: TestClock
  readonly runtime: Runtime
}

/** A fresh runtime on a fresh clock; closed when the test is over. */
export async function createWorld(options: RuntimeOptions = {}): Promise<World> {
  const clock = createTestClock()
  const runtime = await createRuntime({ clock, ...options })
  onTestFinished(() => runtime.close())
  return { clock, runtime }
}

/**
 * A workflow in which every agent runs from the start. It is done when all of them are, or, with `staysOpen`, when it is
 * also sent `stop`.
 */
export function together<Values extends object>(
  board: ContextDefinition<Values>,
  agents: Readonly<Record<string, AnyActorLogic>>,
  { staysOpen = false }: { readonly staysOpen?: boolean } = {},
): Workflow<undefined, unknown, Values> {
  const regions = Object.keys(agents).map((name): [string, object] => [
    name,
    { initial: 'on', states: { on: { invoke: { src: name, onDone: 'off' } }, off: { type: 'final' } } },
  ])
  if (staysOpen)
    regions.push(['door', { initial: 'open', states: { open: { on: { stop: 'closed' } }, closed: { type: 'final' } } }])
  const machine = board.workflow({ agents }).createMachine({
    id: 'together',
    initial: 'work',
    states: {
      work: { type: 'parallel', states: Object.fromEntries(regions), onDone: 'end' },
      end: { type: 'final' },
    },
  } as never)
  return machine as unknown as Workflow<undefined, unknown, Values>
}

/** A workflow that does nothing until `stop` is sent: its board is written from outside. */
export function idle<Values extends object>(board: ContextDefinition<Values>): Workflow<undefined, unknown, Values> {
  return together(board, {}, { staysOpen: true })
}

/** The Callboard error that a promise rejects with. */
export async function refusalOf(promise: Promise<unknown>): Promise<CallboardError> {
  const error: unknown = await promise.then(
    (value) => {
      throw new Error(`expected a rejection, got ${JSON.stringify(value)}`)
    },
    (reason: unknown) => reason,
  )
  if (!isCallboardError(error)) throw error
  return error
}

/** Something that happens when the test says so. */
export interface Gate<Value = void> {
  readonly passed: Promise<Value>
  open(value: Value): void
}

export function createGate<Value = void>(): Gate<Value> {
  const { promise, resolve } = Promise.withResolvers<Value>()
  return { passed: promise, open: (value) => resolve(value) }
}

/** The keys, by record, that a run wrote. */
export async function keysWritten(run: Pick<Run, 'ledger'>): Promise<readonly string[]> {
  const records = await run.ledger()
  return records.flatMap(({ changes }) => changes.map(({ key }) => key))
}
