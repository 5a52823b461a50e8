// Workflow: a plain XState machine whose context holds the board. What is added to the user's config is only what
// carries updates into the machine's own transitions.
import { assign, setup } from 'xstate'
import type {
  ActionFunction,
  ActorRef,
  AnyActorLogic,
  AnyActorRef,
  AnyEventObject,
  AnyStateMachine,
  AnyStateNode,
  DelayConfig,
  EventObject,
  GuardPredicate,
  InputFrom,
  MachineContext,
  MetaObject,
  OutputFrom,
  ParameterizedObject,
  ProvidedActor,
  Snapshot,
  StateMachine,
  StateSchema,
  StateValue,
} from 'xstate'
import type { z } from 'zod'
import { CallboardError } from '../base/index.ts'
import { Board, prepareUpdate, refusalError, WORKFLOW_AUTHOR } from '../context/index.ts'
import type { Catalogue, CatalogueEntry, Shelf, Update } from '../context/index.ts'
import { define, named } from './definition.ts'
import { EXPIRE_EVENT, UPDATE_EVENT, UPSTREAM_EVENT } from './internal-event.ts'
import type { ExpireEvent, UpdateEvent, UpstreamEvent } from './internal-event.ts'
import { withInternalEvents, withReadableIds } from './instrument.ts'
import type { Compact, WorkflowLimits } from './limits.ts'
import type {
  ConfigOf,
  Emitted,
  EventSchemas,
  EventsOf,
  OutputOf,
  ParamsByName,
  Provided,
  Setup,
} from './machine-setup.ts'
import type { Migrate } from './migrate.ts'
import type { BoardReader } from './values.ts'

/** The context of a workflow's machine: its board, its input, and what `context` adds. */
export type WorkflowContext<Values extends object, Input, Extra extends object> = {
  readonly board: BoardReader<Values>
  readonly input: Input
} & Extra

/** What an action that is made in the options is told: a schema that is not given is `never` until all is read. */
type ContextOf<Values extends object, Input extends z.ZodType, Extra extends object> = WorkflowContext<
  Values,
  [Input] extends [never] ? undefined : z.output<NoInfer<Input>>,
  NoInfer<Extra>
>

/** What a workflow is made of, beside its states. */
export interface WorkflowOptions<
  Values extends object,
  Input extends z.ZodType,
  Output extends z.ZodType,
  Events extends EventSchemas,
  Actors extends Record<string, AnyActorLogic>,
  Extra extends object,
  Guards extends ParamsByName,
  Actions extends ParamsByName,
  Delays extends string,
  Taken extends object = Values,
> {
  /** Shown in lists and records; the machine's id unless given. */
  readonly name?: string
  /** The version of the definition, stored with every run. */
  readonly version?: string
  readonly input?: Input
  /** What the machine's `output` must look like. */
  readonly output?: Output
  /** Events from outside, type → schema of the payload, `z.object({})` for none; unless given, any event is let through. */
  readonly events?: Events
  /** The agents its states invoke, by the name used in `src`. */
  readonly agents?: Actors
  /** How much the entries of a run may hold together: the least important make room for what is written. */
  readonly limits?: WorkflowLimits<Taken>
  /** More context beside the board: plain data only. */
  readonly context?: (args: { readonly input: z.output<Input> }) => Extra
  /**
   * Named guards, actions and delays, as XState's `setup` takes them; where they read what `context` adds, they stand below
   * it. What they name of each other is not checked: their names are known only when all of them have been read.
   */
  readonly guards?: {
    readonly [Name in keyof Guards]: GuardPredicate<
      ContextOf<Values, Input, Extra>,
      EventsOf<NoInfer<Events>>,
      Guards[Name],
      ParameterizedObject
    >
  }
  readonly actions?: {
    readonly [Name in keyof Actions]: ActionFunction<
      ContextOf<Values, Input, Extra>,
      EventsOf<NoInfer<Events>>,
      EventsOf<NoInfer<Events>>,
      Actions[Name],
      Provided<NoInfer<Actors>>,
      ParameterizedObject,
      ParameterizedObject,
      NoInfer<Delays>,
      Emitted
    >
  }
  readonly delays?: {
    readonly [Name in Delays]: DelayConfig<
      ContextOf<Values, Input, Extra>,
      EventsOf<NoInfer<Events>>,
      undefined,
      EventsOf<NoInfer<Events>>
    >
  }
  /** Brings runs that were stored with an older definition to this one. */
  readonly migrate?: Migrate
}

/** A machine that a runtime can start as a workflow. */
export type Workflow<
  Input = unknown,
  Output = unknown,
  Values extends object = object,
  Taken extends object = Values,
> = StateMachine<
  MachineContext,
  AnyEventObject,
  Record<string, AnyActorRef | undefined>,
  ProvidedActor,
  ParameterizedObject,
  ParameterizedObject,
  string,
  StateValue,
  string,
  Input,
  Output,
  EventObject,
  MetaObject,
  StateSchema
> & {
  /** Only for the compiler: what the board holds, and what its updates may give. */
  readonly __values?: Values
  readonly __taken?: Taken
}

/** What a workflow takes, gives and holds. */
export type WorkflowInput<Machine extends AnyActorLogic> = InputFrom<Machine>
export type WorkflowOutput<Machine extends AnyActorLogic> = OutputFrom<Machine>
export type WorkflowValues<Machine> = Machine extends {
  readonly __values?: infer Values extends object
}
  ? [keyof Values] extends [never]
    ? Record<string, unknown>
    : Values
  : Record<string, unknown>

export type WorkflowTaken<Machine> = Machine extends { readonly __taken?: infer Taken extends object }
  ? [keyof Taken] extends [never]
    ? Record<string, unknown>
    : Taken
  : Record<string, unknown>

/** `board.workflow(options).createMachine(config)`. */
export type WorkflowBuilder<Values extends object, Taken extends object = Values> = <
  Input extends z.ZodType = z.ZodUndefined,
  Output extends z.ZodType = z.ZodUnknown,
  Events extends EventSchemas = never,
  const Actors extends Record<string, AnyActorLogic> = Record<never, AnyActorLogic>,
  Extra extends object = object,
  Guards extends ParamsByName = Record<never, undefined>,
  Actions extends ParamsByName = Record<never, undefined>,
  Delays extends string = never,
>(
  options?: WorkflowOptions<Values, Input, Output, Events, Actors, Extra, Guards, Actions, Delays, Taken>,
) => {
  /**
   * Makes the machine from a plain XState config without `context`.
   * @throws CallboardError `workflow.anonymous-actor`, `workflow.unknown-actor`, `workflow.invalid-limits`,
   *   `workflow.invalid-machine`
   */
  createMachine(
    config: ConfigOf<
      Setup<
        WorkflowContext<Values, z.output<Input>, Extra>,
        EventsOf<Events>,
        Actors,
        { guards: Guards; actions: Actions; delays: Delays },
        z.output<Input>,
        OutputOf<z.input<Output>>
      >
    >,
  ): Workflow<z.input<Input>, z.output<Output>, Values, Taken>
}

/** With what a run begins; handed to the context of the machine's first snapshot. */
export interface RunBeginning {
  readonly runId: string
  readonly at: number
  readonly transitionId: string
  readonly globals: Shelf
}

const beginnings = new WeakMap<AnyActorRef, RunBeginning>()

/** Says with what the run of this actor begins, before its first snapshot is made. */
export function setBeginning(actor: AnyActorRef, beginning: RunBeginning): void {
  beginnings.set(actor, beginning)
}

interface UntypedOptions extends Omit<
  WorkflowOptions<
    object,
    z.ZodType,
    z.ZodType,
    EventSchemas,
    Record<string, AnyActorLogic>,
    object,
    ParamsByName,
    ParamsByName,
    string
  >,
  'context'
> {
  readonly context?: (args: { readonly input: unknown }) => object
}

export function createWorkflowBuilder<Values extends object, Taken extends object>(
  catalogue: Catalogue,
): WorkflowBuilder<Values, Taken> {
  const build = (options: UntypedOptions = {}): { createMachine: (config: object) => AnyStateMachine } => ({
    createMachine: (config) => createWorkflowMachine(catalogue, options, config),
  })
  return build as never
}

function createWorkflowMachine(board: Catalogue, options: UntypedOptions, config: object): AnyStateMachine {
  const { limits } = options
  const catalogue = limits === undefined ? board : board.withRoom(limits)
  const actors = options.agents ?? {}
  assertNamedActors(config, actors)
  const factory = setup({
    actors,
    guards: options.guards as never,
    actions: { ...options.actions, ...internalActions } as never,
    delays: options.delays as never,
  })
  const context = ({
    input,
    self,
  }: {
    readonly input: unknown
    readonly self: ActorRef<Snapshot<unknown>, EventObject>
  }): object => ({
    ...options.context?.({ input }),
    board: createBoard(catalogue, beginnings.get(self)),
    input,
  })
  const machine = assertValid(
    () =>
      factory.createMachine({
        ...withInternalEvents(withReadableIds(config)),
        context,
      } as never) as unknown as AnyStateMachine,
    config,
  )
  define(machine, {
    name: options.name ?? machine.id,
    version: options.version ?? machine.version ?? '1',
    catalogue,
    // The runtime hands over what the types promise; the definition itself is kept untyped.
    compact: limits?.compact as Compact | undefined,
    ...named(actors),
    input: options.input,
    output: options.output,
    events: options.events,
    migrate: options.migrate,
  })
  return machine
}

/** A machine in which every state has the states it names. @throws CallboardError `workflow.invalid-machine` */
function assertValid(create: () => AnyStateMachine, { id = '(machine)' }: { readonly id?: string }): AnyStateMachine {
  // XState looks at where a state begins only when it is entered: in the middle of a run.
  const visit = (node: AnyStateNode): void => {
    void node.initial
    for (const child of Object.values(node.states)) visit(child)
  }
  try {
    const machine = create()
    visit(machine.root)
    return machine
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new CallboardError(
      'workflow.invalid-machine',
      `the machine "${id}" cannot be made: ${why}; correct its config`,
      { machine: id },
      { cause },
    )
  }
}

/** What an update event does to the board: the machine's own assign. */
export function applyUpdate(board: Board, { update, begin }: UpdateEvent): Board {
  return board.applyFirst(update, begin)
}

const internalActions = {
  [UPDATE_EVENT]: assign(({ context, event }: { context: { board: Board }; event: UpdateEvent }) => ({
    board: applyUpdate(context.board, event),
  })),
  [EXPIRE_EVENT]: assign(({ context, event }: { context: { board: Board }; event: ExpireEvent }) => ({
    board: context.board.expire(event.at),
  })),
  [UPSTREAM_EVENT]: assign(({ context, event }: { context: { board: Board }; event: UpstreamEvent }) => ({
    board: context.board.markStaleBehind(event.changes),
  })),
}

/** The board a run starts with: the defaults of the catalogue, written by the workflow. */
function createBoard(catalogue: Catalogue, beginning: RunBeginning | undefined): Board {
  const empty = Board.create({ catalogue, runId: '', ...beginning })
  const defaults = catalogue.entries.filter((entry) => entry.default !== undefined && !empty.has(entry.name))
  if (defaults.length === 0) return empty
  const board = empty.apply(updateOfDefaults(catalogue, defaults, { id: empty.nextUpdateId, at: empty.at }))
  const { result } = board.transcript.at(-1) ?? { result: undefined }
  if (result?.kind === 'refused') throw refusalError(result, board.runId)
  return board
}

function updateOfDefaults(
  catalogue: Catalogue,
  entries: readonly CatalogueEntry[],
  { id, at }: Pick<Update, 'id' | 'at'>,
): Update {
  const asked = Object.fromEntries(entries.map((entry) => [entry.name, entry.default]))
  const asking = {
    catalogue,
    author: WORKFLOW_AUTHOR,
    access: undefined,
    lineage: [],
    seen: () => 'absent' as const,
    others: () => [],
  }
  const prepared = prepareUpdate({ ...asking, id, at }, asked)
  if (prepared.kind === 'refused') throw refusalError(prepared, '')
  return prepared
}

/**
 * What a stored run writes before it goes on where global entries are that have a default and were never written: it may
 * have come from another database. What was deleted stays deleted.
 */
export function missingGlobals(
  catalogue: Catalogue,
  globals: Shelf,
  { nextId, at }: { readonly nextId: () => string; readonly at: number },
): Update | undefined {
  const missing = catalogue.entries.filter(
    ({ name, scope, default: value }) => scope === 'global' && value !== undefined && globals.plain(name) === undefined,
  )
  return missing.length === 0 ? undefined : updateOfDefaults(catalogue, missing, { id: nextId(), at })
}

/** Only named actors: an anonymous one could not be found again after a restart. */
function assertNamedActors(config: unknown, actors: Readonly<Record<string, AnyActorLogic>>): void {
  if (typeof config !== 'object' || config === null) return
  const { invoke, states } = config as {
    readonly invoke?: unknown
    readonly states?: Readonly<Record<string, unknown>>
  }
  for (const invoked of invoke === undefined ? [] : Array.isArray(invoke) ? (invoke as unknown[]) : [invoke]) {
    const { src } = invoked as { readonly src?: unknown }
    if (typeof src !== 'string') {
      throw new CallboardError(
        'workflow.anonymous-actor',
        'a state invokes an actor without a name; register it under agents and name it in src',
        {},
      )
    }
    if (!Object.hasOwn(actors, src)) {
      const known = Object.keys(actors).join(', ') || 'none'
      throw new CallboardError(
        'workflow.unknown-actor',
        `a state invokes "${src}", which is not registered; registered are: ${known}`,
        { src },
      )
    }
  }
  for (const state of Object.values(states ?? {})) assertNamedActors(state, actors)
}
