// defineContext: from a catalogue to everything that is typed by it: agents, board actions and guards, workflows.
import { assign } from 'xstate'
import type {
  ActionFunction,
  AnyEventObject,
  EventObject,
  MachineContext,
  ParameterizedObject,
  ProvidedActor,
} from 'xstate'
import type { z } from 'zod'
import { CallboardError } from '../base/index.ts'
import { Catalogue, isWrite, prepareUpdate, refusalError, WORKFLOW_AUTHOR } from '../context/index.ts'
import type {
  Board,
  CatalogueOptions,
  Definitions,
  EntryDefinition,
  Grants,
  Scope,
  UpdateOptions,
} from '../context/index.ts'
import type { AgentContext } from './agent-context.ts'
import { assertPatterns, createAgentLogic } from './agent.ts'
import type { AgentLogic } from './agent.ts'
import { describeWith, namesOf } from './describe.ts'
import type {
  BoardReader,
  ChangeOf,
  Changes,
  Outermost,
  Patterns,
  Selected,
  TakenOf,
  TakesWhatItGives,
  ValuesOf,
} from './values.ts'
import { createWorkflowBuilder } from './workflow.ts'
import type { WorkflowBuilder } from './workflow.ts'

/** Makes of a `dependsOn` that names no key, and of a schema that does not take what it gives, a compile error at that entry. */
export type CheckedDefinitions<Defs extends Definitions> = {
  readonly [Key in keyof Defs]: Defs[Key] extends EntryDefinition<infer Schema, infer DependsOn>
    ? TakesWhatItGives<Schema> extends false
      ? { readonly schema: 'what the schema makes of a value has to fit it again: transform before the update' }
      : [DependsOn] extends [keyof ValuesOf<Defs> & string]
        ? Defs[Key]
        : EntryDefinition<Schema, keyof ValuesOf<Defs> & string>
    : never
}

/** What an agent is made of. */
export interface AgentOptions<
  Values extends object,
  Reads extends Patterns<Values>,
  Writes extends Patterns<Values>,
  Input extends z.ZodType,
  Output,
  Taken extends object = Values,
> {
  /** For filters that go by role. */
  readonly role?: string
  /** The keys it may read. */
  readonly reads?: readonly Reads[]
  /** The keys it may write. */
  readonly writes?: readonly Writes[]
  readonly groups?: readonly string[]
  readonly grants?: Grants
  /** Narrows the scopes it sees; its own entries stay visible. */
  readonly scopes?: readonly Scope[]
  /** What it is given when it is invoked. */
  readonly input?: Input
  readonly description?: string
  /** Declares it a phase: the run takes the snapshots `before_<phase>` and `after_<phase>` when it begins and ends. */
  readonly phase?: string
  /**
   * `branch`: what it writes is seen by itself only, and merged in one update when it ends well; not at all when it fails.
   * Versions that `update` gives are those on the branch.
   */
  readonly isolation?: 'branch'
  readonly run: (
    context: AgentContext<Selected<Values, Reads>, Selected<Taken, Writes>, z.output<Input>>,
  ) => Output | Promise<Output>
}

// XState's action types are invariant in all of these; only `any` fits every machine.
// oxlint-disable-next-line typescript/no-explicit-any
type Anything = any

type BoardAction<
  Context extends MachineContext,
  ExpressionEvent extends AnyEventObject,
  Params extends ParameterizedObject['params'] | undefined,
  Event extends EventObject,
  Actor extends ProvidedActor,
> = ActionFunction<Context, ExpressionEvent, Event, Params, Actor, never, never, never, never>

interface ActionArguments<Context, Event> {
  readonly context: Context
  readonly event: Event
}

/** Changes written out, with a function wherever a value depends on context or event. */
type ChangesFrom<Values extends object, Arguments> = {
  readonly [Key in keyof Values as Outermost<Key, keyof Values>]?:
    | ChangeOf<Values[Key]>
    | ((args: Arguments) => ChangeOf<Values[Key]>)
}

/** A catalogue and what can be made with it; its values, and what updates of them may give. */
export interface ContextDefinition<Values extends object, Taken extends object = Values> {
  readonly catalogue: Catalogue
  /**
   * Declares an agent.
   * @throws CallboardError `agent.invalid` for a pattern that matches nothing
   */
  agent<
    const Reads extends Patterns<Values> = never,
    const Writes extends Patterns<Values> = never,
    Input extends z.ZodType = z.ZodUnknown,
    Output = void,
  >(
    options: AgentOptions<Values, Reads, Writes, Input, Output, Taken>,
  ): AgentLogic<z.input<Input>, Output>
  /** Declares a person as an agent: invoked, it asks for the entry and gives back the answer. */
  person<Key extends keyof Values & string>(
    key: Key,
    options?: { readonly question?: string; readonly timeoutMs?: number },
  ): AgentLogic<{ readonly question?: string } | undefined, Values[Key]>
  /** An action that writes entries; its author is the workflow. A refused write fails the run. */
  write<
    // Defaults for a write that is made before it is used, in a constant or a function: nothing is known of its machine.
    Context extends MachineContext = Anything,
    ExpressionEvent extends AnyEventObject = Anything,
    Params extends ParameterizedObject['params'] | undefined = Anything,
    Event extends EventObject = Anything,
    Actor extends ProvidedActor = never,
  >(
    changes:
      | ChangesFrom<Taken, ActionArguments<Context, ExpressionEvent>>
      | ((args: ActionArguments<Context, ExpressionEvent>) => Changes<Taken>),
    options?: UpdateOptions,
  ): BoardAction<Context, ExpressionEvent, Params, Event, Actor>
  /** A guard over one entry; false while it is absent. */
  when<Key extends keyof Values & string>(
    key: Key,
    holds?: (value: Values[Key]) => boolean,
  ): (args: { readonly context: { readonly board: BoardReader<Values> } }) => boolean
  /** Starts the definition of a workflow over this catalogue. */
  readonly workflow: WorkflowBuilder<Values, Taken>
}

/**
 * Declares a board: which entries there are, what they look like, who sees them, how they merge.
 *
 * @param definitions key → `entry(schema, options)`; a key that ends in `*` admits every key with that beginning
 * @throws CallboardError `catalogue.invalid`, `catalogue.cycle`
 */
export function defineContext<const Defs extends Definitions>(
  definitions: Defs & CheckedDefinitions<Defs>,
  options: CatalogueOptions = {},
): ContextDefinition<ValuesOf<Defs>, TakenOf<Defs>> {
  return createContextDefinition<ValuesOf<Defs>, TakenOf<Defs>>(new Catalogue(definitions as Definitions, options))
}

function createContextDefinition<Values extends object, Taken extends object>(
  catalogue: Catalogue,
): ContextDefinition<Values, Taken> {
  return {
    catalogue,
    agent: (options) => {
      const reads = [...(options.reads ?? [])]
      const writes = [...(options.writes ?? [])]
      assertPatterns(catalogue, 'reads', reads)
      assertPatterns(catalogue, 'writes', writes)
      return createAgentLogic({
        role: options.role,
        reads,
        writes,
        groups: [...(options.groups ?? [])],
        grants: { ...options.grants },
        scopes: options.scopes,
        input: options.input,
        description: options.description,
        phase: options.phase,
        isolation: isolationOf(options.isolation),
        person: undefined,
        catalogue,
        // The runtime hands over what the types promise; the definition itself is kept untyped.
        run: options.run as never,
      })
    },
    person: (key, options = {}) => {
      assertPatterns(catalogue, 'reads', [key])
      return createAgentLogic({
        role: undefined,
        reads: [key],
        writes: [],
        groups: [],
        grants: { sensitive: [key] },
        scopes: undefined,
        input: undefined,
        description: options.question,
        phase: undefined,
        isolation: undefined,
        person: { key },
        catalogue,
        run: async ({ ask, input }) => {
          const asked = input as { readonly question?: string } | undefined
          return ask(key as never, { ...options, ...asked })
        },
      })
    },
    write: (changes, options) => describeWith(writeAction(catalogue, changes as never, options), namesOf(changes)),
    when: (key, holds) => {
      const guard = ({ context }: { readonly context: { readonly board: BoardReader<Values> } }): boolean => {
        const value = context.board.get(key)
        return value !== undefined && (holds === undefined || holds(value))
      }
      return describeWith(guard, [key])
    },
    workflow: createWorkflowBuilder<Values, Taken>(catalogue),
  }
}

/** For JavaScript callers. */
function isolationOf(isolation: unknown): 'branch' | undefined {
  if (isolation === undefined || isolation === 'branch') return isolation
  throw new CallboardError(
    'agent.invalid',
    `an agent's isolation is 'branch' or left out, not "${String(isolation)}"`,
    { isolation },
  )
}

type AnyChanges = Readonly<Record<string, unknown>>
type AnyArguments = { readonly context: MachineContext; readonly event: AnyEventObject }

function writeAction(
  catalogue: Catalogue,
  changes: AnyChanges | ((args: AnyArguments) => AnyChanges),
  options: UpdateOptions | undefined,
): never {
  const action = assign(({ context, event }: AnyArguments) => {
    const board = context['board'] as Board
    const args = { context, event }
    const asked = typeof changes === 'function' ? changes(args) : evaluateEach(changes, args)
    const prepared = prepareUpdate(
      {
        catalogue,
        author: WORKFLOW_AUTHOR,
        access: undefined,
        id: board.nextUpdateId,
        at: board.at,
        lineage: [],
        seen: (address) => board.cell(address) ?? 'absent',
        others: () => board.addresses(),
      },
      asked,
      options,
    )
    if (prepared.kind === 'refused') throw refusalError(prepared, board.runId)
    const next = board.apply(prepared)
    const { result } = next.transcript.at(-1) ?? { result: undefined }
    if (result?.kind === 'refused') throw refusalError(result, board.runId)
    return { board: next }
  })
  // XState types an action by its machine, which is not known here; `write` restores the type from where it is used.
  return action as never
}

function evaluateEach(changes: AnyChanges, args: AnyArguments): AnyChanges {
  const entries = Object.entries(changes).map(([key, value]) => [
    key,
    typeof value === 'function' && !isWrite(value) ? (value as (args: AnyArguments) => unknown)(args) : value,
  ])
  return Object.fromEntries(entries) as AnyChanges
}
