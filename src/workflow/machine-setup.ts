// The types of a workflow's machine, as XState's `setup` has them: events, named guards and actions, actors, the config.
import type {
  AnyActorLogic,
  EventObject,
  MachineContext,
  NonReducibleUnknown,
  ParameterizedObject,
  setup,
} from 'xstate'
import type { z } from 'zod'

/** What a machine may be sent, by the schemas of its events; anything where there are none. */
export type EventsOf<Events> = [Events] extends [never]
  ? { readonly type: string; readonly [field: string]: unknown }
  : {
      [Type in keyof Events & string]: EventOf<Type, Events[Type] extends z.ZodType ? z.output<Events[Type]> : unknown>
    }[keyof Events & string]

/** The payload of `z.object({})` is a record of nothing, which would refuse the `type` too. */
type EventOf<Type extends string, Payload> =
  Payload extends Record<string, never> ? { readonly type: Type } : { readonly type: Type } & Payload

/** An event is an object, and so is what it carries beside its type. */
export type EventSchemas = Readonly<Record<string, z.ZodType<object> | z.ZodUnknown | z.ZodAny>>

/** Name → the params of a named guard or action. */
export type ParamsByName = Readonly<Record<string, ParameterizedObject['params'] | undefined>>

/** As XState names actors: one object for each name. Mapped over the actors themselves, so that none make none. */
export type Provided<Actors extends Record<string, AnyActorLogic>> = ValueIn<{
  [Name in keyof Actors as Name & string]: { src: Name & string; logic: Actors[Name]; id: string | undefined }
}>

type ValueIn<Type> = Type[keyof Type]

/** What a machine may emit: nobody declares it. */
export type Emitted = { readonly type: string; readonly [field: string]: unknown }

/** `unknown` would swallow the function form of `output` and with it the types of its arguments. */
export type OutputOf<Output> = unknown extends Output ? NonReducibleUnknown : Output

// XState's own types of a machine are only reachable through `setup`, which takes them one by one.
export type Setup<
  Context extends MachineContext,
  Event extends EventObject,
  Actors extends Record<string, AnyActorLogic>,
  Names extends { guards: ParamsByName; actions: ParamsByName; delays: string },
  Input,
  Output,
> = ReturnType<
  typeof setup<
    Context,
    Event,
    Actors,
    Record<never, string>,
    Names['actions'],
    Names['guards'],
    Names['delays'],
    string,
    Input,
    Output,
    Emitted
  >
>

/** What `createMachine` takes; the context is the board's. */
export type ConfigOf<Machine> = Machine extends { createMachine: (config: infer Config) => unknown }
  ? Omit<Config, 'context'>
  : never
