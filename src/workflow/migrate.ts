// Migrate: how a stored run gets from an older definition of its workflow to the one at hand. The types of that one
// function; carrying it out is the runtime's business.
import type { StateValue } from 'xstate'
import type { Entry, Scope } from '../context/index.ts'
import type { WorkflowStructure } from './structure.ts'

/** A definition a run was written with. What a run from before definitions were recorded has is unknown. */
export interface DefinitionOrigin {
  readonly version: string
  readonly hash: string | undefined
  readonly structure: WorkflowStructure | undefined
}

/** The stored state of a run; frozen. */
export interface StoredRunState {
  /** The machine's state value. */
  readonly value: StateValue
  readonly input: unknown
  /** What the workflow's `context` had added. */
  readonly context: Readonly<Record<string, unknown>>
  /** The entries of the run that are alive, in every scope but the global one. Ephemeral ones are not kept. */
  readonly entries: readonly Entry[]
  /** The agents and child workflows at work, by id. */
  readonly invocations: Readonly<Record<string, { readonly src: string; readonly input: unknown }>>
}

/** An entry as a migration leaves it: one it was given, changed or not, or a new one. */
export interface MigratedEntry extends Partial<Omit<Entry, 'key' | 'value' | 'scope'>> {
  readonly key: string
  readonly value: unknown
  /** The scope in the catalogue unless given. */
  readonly scope?: Scope
}

/** The state a run goes on with. What is left out stays as it is. */
export interface MigratedRunState {
  /** Where a state has states of its own and none is named, its initial one. */
  readonly value?: StateValue
  readonly input?: unknown
  readonly context?: Readonly<Record<string, unknown>>
  /** All entries there are to be; what is missing is deleted. */
  readonly entries?: readonly MigratedEntry[]
  /** Ids of invocations that do not go on; where an active state invokes them, they begin anew. */
  readonly drop?: readonly string[]
}

/** What a migration is told. */
export interface MigrationInput {
  readonly runId: string
  /** With which definition the run was written. */
  readonly from: DefinitionOrigin
  /** The definition at hand. */
  readonly to: { readonly version: string; readonly hash: string }
  readonly state: StoredRunState
}

/**
 * Called once, before a stored run goes on, when the run was written with a definition of another hash or version. Gives
 * the state that fits the definition at hand, or undefined where nothing needs to change. It must be a plain function of
 * what it is told: `callboard check` calls it too, without keeping what it gives. If it throws, or what it gives does not
 * fit, the run stays as it was and cannot be opened.
 */
export type Migrate = (migration: MigrationInput) => MigratedRunState | undefined
