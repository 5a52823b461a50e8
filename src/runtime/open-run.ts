import type { AnyStateMachine } from 'xstate'
import type { RunSummary, Store } from '../store/index.ts'
import { adoptDefinition } from './adopt.ts'
import { assessRun } from './assess.ts'
import { machineForEnded } from './ended-machine.ts'
import { loadRun } from './load-run.ts'
import type { RunState } from './run-state.ts'
import { definitionOf } from './runtime-errors.ts'

/** A run as it is stored, ready to go on. */
export interface StoredRun {
  readonly summary: RunSummary
  readonly state: RunState
  /** The machine it is restored in: for an ended run it may be another than today's. */
  readonly shown: AnyStateMachine
}

export interface OpenOptions {
  readonly store: Store
  readonly machine: AnyStateMachine
  readonly summary: RunSummary
  /** When it is opened. */
  readonly at: number
  readonly onUnusable: (error: unknown) => void
}

/**
 * Reads a run; one that goes on takes over today's definition of its workflow, in one record.
 * @throws CallboardError `run.definition-changed`, `run.migration-failed` when its state does not fit that
 */
export function readToOpen(options: OpenOptions): Promise<StoredRun> {
  return options.summary.status === 'active' ? readActive(options) : readEnded(options)
}

async function readActive(options: OpenOptions): Promise<StoredRun> {
  const { store, machine, summary, at } = options
  const assessment = await assessRun(options)
  if (assessment.error !== undefined) throw assessment.error
  if (assessment.adoption === undefined) return { summary, state: assessment.state, shown: machine }
  await adoptDefinition(store, summary, assessment, assessment.adoption, at)
  const state = await read(options)
  return { summary: (await store.summary(summary.runId)) ?? summary, state, shown: machine }
}

async function readEnded(options: OpenOptions): Promise<StoredRun> {
  const { machine, summary } = options
  const state = await read(options)
  if (state.machine === undefined) return { summary, state, shown: machine }
  const shown = machineForEnded(machine, state.machine)
  return { summary, state: { ...state, machine: shown.state }, shown: shown.machine }
}

function read({ store, machine, summary: { runId }, onUnusable }: OpenOptions): Promise<RunState> {
  return loadRun({ store, catalogue: definitionOf(machine).catalogue, runId, onUnusable })
}
