// What a schema says of a value. A schema is code of somebody else's: it may fail, or want to wait, and that is an answer too.
import type { z } from 'zod'

export type Parsed =
  | { readonly success: true; readonly data: unknown }
  | {
      readonly success: false
      /** Where in the value. */
      readonly path: string
      readonly problem: string
      /** Whether the schema came to a judgement; what is wrong is the schema otherwise. */
      readonly isJudged: boolean
    }

/** Parses a value; never throws. */
export function parseBy(schema: z.ZodType, value: unknown): Parsed {
  try {
    const parsed = schema.safeParse(value)
    if (parsed.success) return parsed
    const issue = parsed.error.issues[0]
    const path = issue === undefined ? '' : issue.path.map(String).join('.')
    return { success: false, path, problem: issue?.message ?? 'invalid', isJudged: true }
  } catch (error) {
    return { success: false, path: '', problem: failureOf(error), isJudged: false }
  }
}

/** By its name: a second copy of zod has a class of its own. */
function failureOf(error: unknown): string {
  if (!(error instanceof Error)) return `it failed: ${String(error)}`
  if (error.constructor.name !== '$ZodAsyncError') return `it failed: ${error.message}`
  return 'it is asynchronous, and schemas judge at once; check what takes time in a step of an agent, before it is written'
}
