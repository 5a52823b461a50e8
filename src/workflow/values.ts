// The types that flow from a catalogue to whoever reads and writes.
import type { z } from 'zod'
import type { Definitions, Drop, KeyOf, Matching, Patch, PatternOf, Put } from '../context/index.ts'

/**
 * Key → value type of a catalogue. A family has the values of all that is declared inside it too: a computed key may be
 * any of that. What is asked for by its whole key has its own type; of two families the compiler takes what fits both.
 */
export type ValuesOf<Defs extends Definitions> = {
  [Name in keyof Defs & string as KeyOf<Name>]: z.output<Defs[Matching<keyof Defs & string, Name>]['schema']>
}

/** Key → what an update may give: a value as the schema takes it, so that what it fills in may be left out. */
export type TakenOf<Defs extends Definitions> = {
  [Name in keyof Defs & string as KeyOf<Name>]: TakenBy<Defs[Matching<keyof Defs & string, Name>]['schema']>
}

/** What was read may always be written; `readonly()` would take a list, and give one that it does not take. */
type TakenBy<Schema extends z.ZodType> = Schema extends z.ZodType
  ? [z.output<Schema>] extends [z.input<Schema>]
    ? z.input<Schema>
    : z.input<Schema> | z.output<Schema>
  : never

/** Whether a schema takes what it gives: values are checked again after every merge, and with every changed definition. */
export type TakesWhatItGives<Schema extends z.ZodType> = [z.output<Schema>] extends [z.input<Schema>]
  ? true
  : [z.output<Schema>] extends [Frozen<z.input<Schema>>]
    ? true
    : false

type Frozen<Value> = Value extends object ? { readonly [Field in keyof Value]: Frozen<Value[Field]> } : Value

/** The keys that some patterns name, with their value types. */
export type Selected<Values extends object, Pattern extends string> = {
  [Key in keyof Named<Values, Pattern>]: Named<Values, Pattern>[Key]
}

/**
 * What the patterns cover, and the patterns that are part of a family. Signature by signature: a union of keys loses those
 * that a family in it covers.
 */
type Named<Values extends object, Pattern extends string> = {
  [Key in keyof Values as Key extends KeyOf<Pattern> ? Key : never]: Values[Key]
} & {
  [Part in Pattern as Extract<KeyOf<Part>, keyof Values>]: Values[Extract<KeyOf<Part>, keyof Values>]
}

/** What an update may contain: new values, or `put`, `patch` and `drop` around them. */
export type Changes<Values extends object> = [keyof Values] extends [never]
  ? // `{}` would take anything.
    Readonly<Record<string, never>>
  : { readonly [Key in keyof Values as Outermost<Key, keyof Values>]?: ChangeOf<Values[Key]> }

/**
 * The keys without the families inside others: what is written under a computed key is held to every family there is, and
 * a member of the outer one need not fit those.
 */
export type Outermost<Key, Keys> = Key extends Exclude<Keys, Key> ? ExactKey<Key> : Key

/** A key that may not be missing from a record; a family's may. */
type ExactKey<Key> = Record<never, never> extends Record<Key & string, 1> ? never : Key

/** What an update may contain under one key. */
export type ChangeOf<Value> = Value | Put<Value> | Patch<Value> | Drop

export type Patterns<Values extends object> = PatternOf<keyof Values & string>

/** The workflow's own reading of its board, as guards and actions get it in `context.board`. */
export interface BoardReader<Values extends object> {
  readonly runId: string
  /** The time of the transition under way, in milliseconds since 1970: the only clock of guards and actions. */
  readonly at: number
  get<Key extends keyof Values & string>(key: Key): Values[Key] | undefined
  has(key: keyof Values & string): boolean
}
