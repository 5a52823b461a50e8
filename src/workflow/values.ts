// The types that flow from a catalogue to whoever reads and writes.
import type { z } from 'zod'
import type { Definitions, Drop, KeyOf, Matching, Patch, PatternOf, Put } from '../context/index.ts'

/** Key → value type of a catalogue. */
export type ValuesOf<Defs extends Definitions> = {
  [Key in keyof Defs & string as KeyOf<Key>]: z.output<Defs[Key]['schema']>
}

/** The keys that some patterns name, with their value types. */
export type Selected<Values extends object, Pattern extends string> = {
  [Key in Matching<keyof Values & string, Pattern>]: Values[Key]
}

/** What an update may contain: new values, or `put`, `patch` and `drop` around them. */
export type Changes<Values extends object> = [keyof Values] extends [never]
  ? // `{}` would take anything.
    Readonly<Record<string, never>>
  : { readonly [Key in keyof Values]?: ChangeOf<Values[Key]> }

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
