// Usage: what model calls have cost, and the budget that ends them.
//   U1. A call is counted when it is recorded, once, however often its agent runs again.
//   U2. With a usage entry the budget is that of the run: all its agents that name the entry share it.
//   U3. The budget is looked at before a call is made, and not for one that was made before a restart. Calls under way at
//       the same time may together go beyond it.
import { z } from 'zod'
import { CallboardError } from '../base/index.ts'
import { parseBy } from '../context/index.ts'
import type { CatalogueEntry, EntryDefinition } from '../context/index.ts'
import { entry } from '../workflow/index.ts'

const Call = z.object({
  agent: z.string(),
  model: z.string(),
  inputTokens: z.number(),
  outputTokens: z.number(),
})

/** What one call has cost. */
export type ModelCall = z.output<typeof Call>

const Usage = z.record(z.string(), Call)

/** The calls of a run by their ids. */
export type ModelUsage = z.output<typeof Usage>

/** What calls have cost together. */
export interface UsageSum {
  readonly calls: number
  readonly inputTokens: number
  readonly outputTokens: number
}

/** The most that may be used. */
export interface ModelBudget {
  /** Finished calls; 20 unless given. */
  readonly calls?: number
  /** Tokens in and out together; no limit unless given. */
  readonly tokens?: number
}

export const DEFAULT_CALLS = 20

/** An entry for the usage of a run: `defineContext({ 'model.usage': modelUsage() })`. */
export function modelUsage(): EntryDefinition<typeof Usage, never> {
  return entry(Usage, { merge: 'deep', priority: 'low', sensitive: false, description: 'what model calls have cost' })
}

/** Whether calls can be written down under an entry. */
export function keepsUsage(definition: CatalogueEntry | undefined): boolean {
  const call: ModelCall = { agent: 'a', model: 'm', inputTokens: 1, outputTokens: 1 }
  return definition !== undefined && parseBy(definition.schema, { key: call }).success
}

/** Adds up what calls have cost: `sumUsage(run.get('model.usage'))`. */
export function sumUsage(usage: ModelUsage | undefined): UsageSum {
  const sum = { calls: 0, inputTokens: 0, outputTokens: 0 }
  for (const { inputTokens, outputTokens } of Object.values(usage ?? {})) {
    sum.calls += 1
    sum.inputTokens += inputTokens
    sum.outputTokens += outputTokens
  }
  return sum
}

/** Whom a budget is for. */
interface Spender {
  readonly runId: string
  readonly agent: string
}

/**
 * The tokens that are left.
 * @throws CallboardError `ai.budget` when it is used up
 */
export function tokensLeft(
  used: UsageSum,
  { calls = DEFAULT_CALLS, tokens = Infinity }: ModelBudget,
  of: Spender,
): number {
  const usedTokens = used.inputTokens + used.outputTokens
  const limit = used.calls >= calls ? `${calls} calls` : usedTokens >= tokens ? `${tokens} tokens` : undefined
  if (limit === undefined) return tokens - usedTokens
  const { runId, agent } = of
  throw new CallboardError(
    'ai.budget',
    `run ${runId}: agent ${agent} has used up its budget of ${limit} (${used.calls} calls, ${usedTokens} tokens); raise it, or give the model less to do`,
    { runId, agent, calls: used.calls, tokens: usedTokens, budget: { calls, tokens } },
  )
}
