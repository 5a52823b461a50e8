// The machine's side of a run: its snapshot as XState has it, what a record keeps of it, and what a change of it means.
import type { AnyActorLogic, Snapshot } from 'xstate'
import {
  admitValue,
  CallboardError,
  fromTagged,
  isCallboardError,
  isPlainObject,
  MAX_DEPTH,
  toTagged,
} from '../base/index.ts'
import type { Board } from '../context/index.ts'
import type { MachineState } from '../ledger/index.ts'
import { leavesPhase } from './phase.ts'

/** A machine snapshot as the engine sees it. */
export type MachineSnapshot = {
  readonly status: 'active' | 'done' | 'error' | 'stopped'
  readonly output: unknown
  readonly error: unknown
  readonly value: unknown
  readonly context: Readonly<Record<string, unknown>> & { readonly board: Board }
  readonly children: Readonly<
    Record<string, { readonly id: string; readonly src: unknown; getSnapshot(): Snapshot<unknown> }>
  >
  readonly _nodes: readonly StateNodeLike[]
}

interface StateNodeLike {
  readonly id: string
  readonly key: string
  readonly tags: readonly string[]
  readonly always?: readonly unknown[]
  readonly parent?: { readonly parent?: unknown }
}

/** A run's state that an engine can go on from. */
export interface RestorableState {
  readonly seq: number
  readonly board: Board
  readonly machine: MachineState
}

/** What a machine is at a time, and what belongs to it. */
export interface MachineMoment {
  readonly runId: string
  readonly logic: AnyActorLogic
  readonly snapshot: MachineSnapshot
  readonly timers: MachineState['timers']
  readonly invocations: number
}

/**
 * What a record keeps of a machine: everything needed to go on from here but the board.
 *
 * @throws CallboardError `run.not-recordable`
 */
export function machineStateOf(moment: MachineMoment): MachineState {
  try {
    return stateOf(moment)
  } catch (error) {
    const { runId } = moment
    // XState looks for actors in the context, without end where that is a circle.
    const why = error instanceof RangeError ? 'its context holds a cycle' : String((error as Error).message)
    throw new CallboardError(
      'run.not-recordable',
      `run ${runId}: the state of its machine cannot be recorded: ${why}; keep plain data in the machine's context, and name its actors in workflow({ agents })`,
      { runId },
      { cause: error },
    )
  }
}

function stateOf({ logic, snapshot, timers, invocations }: MachineMoment): MachineState {
  const {
    context,
    children,
    error: _error,
    ...rest
  } = logic.getPersistedSnapshot(snapshot as never, undefined as never) as unknown as PersistedSnapshot
  const { board: _board, ...extra } = context
  return {
    status: snapshot.status,
    value: snapshot.value,
    persisted: { ...rest, historyValue: orNothing(rest.historyValue), children: mapValues(children, withPlainError) },
    context: orNothing(keptContext(extra)),
    timers,
    invocations,
    output: snapshot.status === 'done' ? snapshot.output : undefined,
    error: snapshot.status === 'error' ? describeError(snapshot.error) : undefined,
  }
}

/** A copy of the machine's own context that nobody can change; errors as what they say, because `assign` often keeps them. */
function keptContext(context: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (Object.keys(context).length === 0) return context
  try {
    return keep({ context })
  } catch {
    return keep({ context: withSaidErrors(context, 0) as typeof context })
  }
}

/** Under its name, for the place in a refusal. */
const keep = <Context extends object>(named: { readonly context: Context }): Context =>
  (admitValue(named).value as typeof named).context

function withSaidErrors(value: unknown, depth: number): unknown {
  if (value instanceof Error) return { name: value.name, ...describeError(value) }
  if (depth > MAX_DEPTH) return value
  if (Array.isArray(value)) return value.map((item) => withSaidErrors(item, depth + 1))
  return isPlainObject(value) ? mapValues(value, (part) => withSaidErrors(part, depth + 1)) : value
}

/** XState's persisted snapshot, made from what a record keeps. Fresh in every part: restoring writes into it. */
export function snapshotOf({ board, machine }: RestorableState): unknown {
  const persisted = copy(machine.persisted)
  const error = machine.error === undefined ? undefined : new CallboardError(machine.error.code, machine.error.message)
  return { ...persisted, error, context: { ...copy(machine.context), board } }
}

function copy(value: unknown): object {
  return fromTagged(JSON.parse(JSON.stringify(toTagged(value)))) as object
}

interface PersistedChild {
  readonly snapshot: { readonly error?: unknown; readonly children?: Readonly<Record<string, PersistedChild>> }
}

interface PersistedSnapshot {
  readonly context: Readonly<Record<string, unknown>>
  readonly children: Readonly<Record<string, PersistedChild>>
  readonly historyValue: object
  readonly error?: unknown
}

/** What states share that have no children, no history, no context of their own: there is one of every run at work. */
const NOTHING: Readonly<Record<string, never>> = Object.freeze({})

const orNothing = <Value extends object>(value: Value): Value | typeof NOTHING =>
  Object.keys(value).length === 0 ? NOTHING : value

/** Errors do not survive being stored; their code and message do. */
function withPlainError(child: PersistedChild): PersistedChild {
  const { error, children } = child.snapshot
  if (error === undefined && children === undefined) return child
  return {
    ...child,
    snapshot: {
      ...child.snapshot,
      ...(error === undefined ? {} : { error: describeError(error) }),
      ...(children === undefined ? {} : { children: mapValues(children, withPlainError) }),
    },
  }
}

function mapValues<Value, Mapped>(
  object: Readonly<Record<string, Value>>,
  map: (value: Value) => Mapped,
): Record<string, Mapped> {
  const entries = Object.entries(object)
  return entries.length === 0 ? NOTHING : Object.fromEntries(entries.map(([key, value]) => [key, map(value)]))
}

/** The same snapshot over another board. */
export function withBoard(snapshot: MachineSnapshot, board: Board): MachineSnapshot {
  return { ...snapshot, context: { ...snapshot.context, board } }
}

/** Ephemeral entries end with the phase they were written in. */
export function endPhase(before: MachineSnapshot, after: MachineSnapshot): MachineSnapshot {
  if (!leavesPhase(before._nodes, after._nodes)) return after
  const { board } = after.context
  const old = before.context.board
  const cleared = board.clearEphemeral((entry) => old.cell(entry)?.entry === entry)
  return cleared === board ? after : withBoard(after, cleared)
}

export function isMachineChanged(before: MachineSnapshot | undefined, after: MachineSnapshot): boolean {
  if (
    before === undefined ||
    before._nodes !== after._nodes ||
    before.status !== after.status ||
    before.children !== after.children
  )
    return true
  for (const key of Object.keys(after.context))
    if (key !== 'board' && after.context[key] !== before.context[key]) return true
  return false
}

/** An error as records keep it. */
export function describeError(error: unknown): { readonly code: string; readonly message: string } {
  if (isCallboardError(error)) return { code: error.code, message: error.message }
  return { code: 'error', message: error instanceof Error ? error.message : String(error) }
}

/** Whether a transition has come to nothing. A reducer wraps what is the same in a new snapshot. */
export function isSameSnapshot(before: object, after: object): boolean {
  const [old, made] = [before, after] as readonly Partial<MachineSnapshot>[]
  return (
    before === after ||
    (made?.context === old?.context &&
      made?.status === old?.status &&
      made?._nodes === old?._nodes &&
      made?.children === old?.children)
  )
}

/** XState keeps what went wrong while restoring in place of a snapshot. */
export function notRestoredError(runId: string, cause: unknown): CallboardError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new CallboardError(
    'run.not-restored',
    `run ${runId} cannot go on from what is stored of its machine: ${why}; its definition may have changed since`,
    { runId },
    { cause },
  )
}
