// What an evolution knows about itself, beside the sections of its phases.
import { z } from 'zod'
import { Focus } from './schema.ts'

/** The phases of an evolution, in their order. */
export const Phase = z.enum(['initialization', 'research', 'planning', 'approval', 'implementation', 'evaluation'])
export type Phase = z.infer<typeof Phase>

/** Where an evolution stands. */
export const Status = z.union([
  z.enum(['initialized', 'completed', 'declined', 'failed']),
  z.templateLiteral(['running_', Phase]),
])
export type Status = z.infer<typeof Status>

/** The head of an evolution; its id is that of its run. */
export const Meta = z
  .strictObject({
    evolutionId: z.string(),
    createdAt: z.iso.datetime(),
    targetPath: z.string(),
    focusAreas: z.array(Focus).readonly(),
    status: Status,
    currentPhase: Phase,
  })
  .readonly()
export type Meta = z.infer<typeof Meta>

/** One line of the error log. */
export const Failure = z
  .strictObject({
    at: z.iso.datetime(),
    phase: Phase,
    agent: z.string(),
    code: z.string(),
    message: z.string(),
  })
  .readonly()
export type Failure = z.infer<typeof Failure>

/** What a person says to a plan. */
export const Approval = z.enum(['yes', 'no'])
export type Approval = z.infer<typeof Approval>
