import { z } from 'zod'

/** The schema as JSON Schema, or undefined where there is none or JSON Schema cannot say it. */
export function jsonSchemaOf(schema: z.ZodType | undefined): Readonly<Record<string, unknown>> | undefined {
  if (schema === undefined) return undefined
  try {
    return z.toJSONSchema(schema, { io: 'input' }) as Readonly<Record<string, unknown>>
  } catch {
    return undefined
  }
}
