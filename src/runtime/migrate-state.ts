// What a workflow's `migrate` makes of a stored state: called, checked, and turned into what a record keeps. Pure but for
// that call.
import type { AnyStateMachine, AnyStateNode, StateValue } from 'xstate'
import { admitValue, handOut, isPlainObject } from '../base/index.ts'
import type { Board, CellChange } from '../context/index.ts'
import type { MachineState } from '../ledger/index.ts'
import { sourceOf } from '../workflow/index.ts'
import type {
  MachineStructure,
  Migrate,
  MigratedRunState,
  MigrationInput,
  StateStructure,
  StoredRunState,
} from '../workflow/index.ts'
import { configurationOf, structureAt } from './configuration.ts'
import { childrenOf, placeOf, timersOf } from './enter-states.ts'
import { nodeById } from './fit.ts'
import type { PersistedChild, PersistedMachine } from './fit.ts'
import { invalid, migrateEntries, storedEntriesOf } from './migrate-entries.ts'
import { reaches } from './pending-timer.ts'

/** A run's state under another definition. */
export interface Adoption {
  readonly changes: readonly CellChange[]
  readonly machine: MachineState
  /** Invocations that do not go on; a child workflow's is the id of its run. */
  readonly ended: readonly string[]
}

export interface MigrationQuestion extends Omit<MigrationInput, 'state' | 'from'> {
  readonly from: MigrationInput['from']
  readonly machine: AnyStateMachine
  readonly board: Board
  readonly state: MachineState
  readonly at: number
}

/** The state that fits as it is; only its delays are those of the definition at hand. */
export function adoptAsIs({ machine, from, board, state, at }: Omit<MigrationQuestion, 'to' | 'runId'>): Adoption {
  const before = from.structure
  const { nodes } = configurationOf(machine.root, state.value, before?.root)
  const timers = timersOf({
    machine,
    nodes,
    before,
    timers: state.timers,
    wasActive: new Set(nodes.map(placeOf)),
    context: { ...state.context, board },
    at,
  })
  return { changes: [], machine: { ...state, timers }, ended: [] }
}

/**
 * The state that `migrate` gives, or undefined where it gives none. Whether it fits is looked at afterwards.
 * @throws CallboardError `migration.invalid`; whatever `migrate` throws
 */
export function migrateState(migrate: Migrate, question: MigrationQuestion): Adoption | undefined {
  const { runId, from, to, board, state, at } = question
  const given = storedStateOf(board, state)
  const asked = migrate(Object.freeze({ runId, from: Object.freeze(from), to: Object.freeze(to), state: given }))
  if (asked === undefined) return undefined
  assertMigrated(asked)
  const changes = asked.entries === undefined ? [] : migrateEntries(board, given.entries, asked.entries, at)
  return { changes, ...migrateMachine(asked, { ...question, board: board.withCells(changes.map(({ cell }) => cell)) }) }
}

/** @param question with the board as the migration leaves it */
function migrateMachine(asked: MigratedRunState, question: MigrationQuestion): Omit<Adoption, 'changes'> {
  const { runId, machine, board, state, at } = question
  const before = question.from.structure
  const persisted = state.persisted as PersistedMachine
  const value = asked.value === undefined ? (state.value as StateValue) : completeValue(machine, asked.value)
  const context = admittedContext(state, asked)
  const { nodes } = configurationOf(machine.root, value, undefined)
  const wasActive = activePlaces(state.value)
  const dropped = droppedIds(asked, persisted)
  const kept = keptChildren({ machine, nodes, persisted, before, dropped })
  const entering = { machine, nodes, before, wasActive, context: { ...context, board } }
  const { children, invocations } = childrenOf({
    ...entering,
    runId,
    kept,
    begins: (node, { id, src }) =>
      dropped.has(id) ||
      !wasActive.has(placeOf(node)) ||
      structureAt(before?.root, node.path)?.invoke?.[id] !== sourceOf(src),
    invocations: state.invocations,
  })
  const pending = state.timers.filter((timer) => reaches(timer, kept))
  const timers = timersOf({ ...entering, timers: pending, at })
  const historyValue = keptHistory(machine, persisted)
  return {
    machine: {
      ...state,
      value,
      persisted: { ...persisted, value, children, historyValue },
      context,
      timers,
      invocations,
    },
    ended: endedInvocations(persisted, kept),
  }
}

function endedInvocations(
  { children = {} }: PersistedMachine,
  kept: Readonly<Record<string, PersistedChild>>,
): readonly string[] {
  return Object.entries(children).flatMap(([id, { snapshot }]) =>
    Object.hasOwn(kept, id) || snapshot.status !== 'active' || snapshot.invocation === undefined
      ? []
      : [snapshot.invocation],
  )
}

function storedStateOf(board: Board, { value, context, persisted }: MachineState): StoredRunState {
  const { input, ...own } = context
  const { children = {} } = persisted as PersistedMachine
  const atWork = Object.entries(children).filter(([, { snapshot }]) => snapshot.status === 'active')
  const invocations = atWork.map(
    ([id, { src, snapshot }]) => [id, { src: sourceOf(src), input: handOut(snapshot.input) }] as const,
  )
  return Object.freeze({
    value: handOut(value) as StateValue,
    input: handOut(input),
    context: handOut(own) as Readonly<Record<string, unknown>>,
    entries: storedEntriesOf(board),
    invocations: Object.freeze(Object.fromEntries(invocations)),
  })
}

const FIELDS = ['value', 'input', 'context', 'entries', 'drop']

function assertMigrated(asked: unknown): asserts asked is MigratedRunState {
  if (asked instanceof Promise) {
    asked.catch(() => {})
    throw invalid('migrate gave a promise; it must be a plain function of what it is told, without waiting')
  }
  if (!isPlainObject(asked)) throw invalid('migrate gives an object such as { value, entries }, or undefined')
  const unknown = Object.keys(asked).filter((field) => !FIELDS.includes(field))
  if (unknown.length > 0) throw invalid(`migrate gave ${unknown.join(', ')}; it may give ${FIELDS.join(', ')}`)
  const { entries, drop, context } = asked as { readonly [field in keyof MigratedRunState]: unknown }
  if (entries !== undefined && !Array.isArray(entries)) throw invalid('entries is a list of { key, value, … }')
  if (drop !== undefined && !Array.isArray(drop)) throw invalid('drop is a list of ids of invocations')
  if (context !== undefined && !isPlainObject(context)) throw invalid('context is an object of plain data')
}

/** @throws CallboardError `migration.invalid` for a state that does not exist */
function completeValue(machine: AnyStateMachine, value: StateValue): StateValue {
  try {
    return machine.resolveState({ value, context: {} }).value as StateValue
  } catch (error) {
    throw invalid(`migrate gave the state value ${JSON.stringify(value)}: ${(error as Error).message}`, error)
  }
}

function admittedContext(state: MachineState, asked: MigratedRunState): Readonly<Record<string, unknown>> {
  if (asked.context === undefined && !Object.hasOwn(asked, 'input')) return state.context
  const { input, ...own } = state.context
  const context = { ...(asked.context ?? own), input: Object.hasOwn(asked, 'input') ? asked.input : input }
  try {
    return admitValue(context).value as Readonly<Record<string, unknown>>
  } catch (error) {
    throw invalid(`the context that migrate gave cannot be stored: ${(error as Error).message}`, error)
  }
}

function droppedIds({ drop = [] }: MigratedRunState, { children = {} }: PersistedMachine): ReadonlySet<string> {
  const unknown = drop.filter((id) => !Object.hasOwn(children, id))
  if (unknown.length === 0) return new Set(drop)
  const known = Object.keys(children).join(', ') || 'none'
  throw invalid(`drop names ${unknown.join(', ')}, which the run has not invoked; invoked are: ${known}`)
}

interface KeptQuestion {
  readonly machine: AnyStateMachine
  readonly nodes: readonly AnyStateNode[]
  readonly persisted: PersistedMachine
  readonly before: MachineStructure | undefined
  readonly dropped: ReadonlySet<string>
}

/** What goes on: what active states invoke under the same id and name, and what no state had invoked. */
function keptChildren(question: KeptQuestion): Readonly<Record<string, PersistedChild>> {
  const { machine, nodes, persisted, before, dropped } = question
  const invoked = nodes.flatMap((node) => node.invoke)
  const now = [...allNodes(machine.root)].flatMap((node) => node.invoke.map(({ id }) => id))
  const ofStates = new Set([...invokedIds(before?.root), ...now])
  const kept = Object.entries(persisted.children ?? {}).filter(([id, { src }]) => {
    if (dropped.has(id)) return false
    return invoked.some((each) => each.id === id && sourceOf(each.src) === src) || !ofStates.has(id)
  })
  return Object.fromEntries(kept)
}

function* allNodes(node: AnyStateNode): IterableIterator<AnyStateNode> {
  yield node
  for (const child of Object.values(node.states)) yield* allNodes(child)
}

function invokedIds(state: StateStructure | undefined): readonly string[] {
  if (state === undefined) return []
  return [...Object.keys(state.invoke ?? {}), ...Object.values(state.states ?? {}).flatMap(invokedIds)]
}

/** The places of the states that a value names. */
function activePlaces(value: unknown): ReadonlySet<string> {
  const places = new Set<string>([''])
  const visit = (part: unknown, path: readonly string[]): void => {
    const inner = typeof part === 'string' ? [[part, undefined] as const] : Object.entries(part ?? {})
    for (const [name, rest] of inner) {
      places.add([...path, name].join('.'))
      visit(rest, [...path, name])
    }
  }
  visit(value, [])
  return places
}

/** A history that names states which are gone is forgotten. */
function keptHistory(
  machine: AnyStateMachine,
  { historyValue = {} }: PersistedMachine,
): PersistedMachine['historyValue'] {
  const kept = Object.entries(historyValue).filter(([id, items]) =>
    [id, ...items.map((item) => item.id)].every((each) => nodeById(machine, each) !== undefined),
  )
  return Object.fromEntries(kept)
}
