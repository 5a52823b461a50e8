// The formats as JSON Schema (2020-12), by the names of the files they are published under.
import { z } from 'zod'
import { LedgerEvent } from './ledger-event.ts'
import { WorkingSet, WorkingSetPatch } from './working-set.ts'

/** By file. */
export const TASK_SCHEMAS: Readonly<Record<string, z.ZodType>> = Object.freeze({
  'working_set.v2.1.schema.json': WorkingSet,
  'working_set_patch.v2.1.schema.json': WorkingSetPatch,
  'ledger_event.v2.1.schema.json': LedgerEvent,
})

/** What a schema's file holds. */
export function jsonSchemaOf(schema: z.ZodType, title: string): object {
  const { $schema, ...rest } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io: 'input',
    // A note for writers of forms, not a rule.
    override: ({ jsonSchema }) => delete jsonSchema.readOnly,
  })
  return { $schema, title, ...rest }
}

/** The title of a schema, from its file's name. */
export function titleOf(file: string): string {
  return file.replace('.schema.json', '')
}
