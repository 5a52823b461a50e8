import type { z } from 'zod'
import type { EntryDefinition, EntryOptions } from '../context/index.ts'

/** Options of an entry whose default value has to fit the schema. */
export interface TypedEntryOptions<Schema extends z.ZodType, DependsOn extends string> extends EntryOptions<DependsOn> {
  readonly default?: z.input<Schema>
}

/**
 * One line of a catalogue: what the value must look like, and what is known about the entry.
 *
 * @param schema a zod schema; its output is the value's type
 * @param options scope, priority, flags, policy, dependencies, life time; see `EntryOptions`
 */
export function entry<Schema extends z.ZodType, const DependsOn extends string = never>(
  schema: Schema,
  options: TypedEntryOptions<Schema, DependsOn> = {},
): EntryDefinition<Schema, DependsOn> {
  return Object.freeze({ schema, options: Object.freeze({ ...options }) })
}
