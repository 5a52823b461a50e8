// The machine's side of a run: its snapshot as XState has it, what a record keeps of it, and what a change of it means.
import type { AnyActorLogic, Snapshot } from 'xstate'
import { isCallboardError } from '../base/index.ts'
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
  readonly tags: readonly string[]
  readonly always?: readonly unknown[]
  readonly parent?: { readonly parent?: unknown }
}

/** What a record keeps of a machine: everything needed to go on from here but the board. */
export function machineStateOf(logic: AnyActorLogic, snapshot: MachineSnapshot): MachineState {
  const { context, ...persisted } = logic.getPersistedSnapshot(snapshot as never) as unknown as {
    context: Readonly<Record<string, unknown>>
  }
  const { board: _board, ...rest } = context
  return {
    status: snapshot.status,
    value: snapshot.value,
    persisted,
    context: rest,
    ...(snapshot.status === 'done' ? { output: snapshot.output } : {}),
    ...(snapshot.status === 'error' ? { error: describeError(snapshot.error) } : {}),
  }
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
