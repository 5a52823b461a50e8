// The formats as JSON Schema (2020-12), by the names of the files they are published under.
import { z } from 'zod'
import { LedgerEvent } from './ledger-event.ts'
import { WorkingSet, WorkingSetPatch } from './working-set.ts'

export const TASK_SCHEMAS: Readonly<Record<string, z.ZodType>> = Object.freeze({
  'working_set.v2.1.schema.json': WorkingSet,
  'working_set_patch.v2.1.schema.json': WorkingSetPatch,
  'ledger_event.v2.1.schema.json': LedgerEvent,
})

/** The text of a schema's file. */
export function jsonSchemaText(schema: z.ZodType, title: string): string {
  const { $schema, ...rest } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io: 'input',
    // A note for writers of forms, not a rule.
    override: ({ jsonSchema }) => delete jsonSchema.readOnly,
  })
  return `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`
}
