// Told error: what is said of a run's failure to those who may not see what is sensitive. What agents, steps, machines and
// models say of their failures may hold any value that they could see; only sentences that are wholly ours are passed on.
import { describeError } from './machine-snapshot.ts'

/** Codes whose sentences name ids, keys and rules, and no values. */
const OURS: ReadonlySet<string> = new Set([
  'agent.ended',
  'agent.input',
  'agent.no-memory',
  'agent.no-runtime',
  'agent.stopped',
  'agent.unknown',
  'ai.budget',
  'event.invalid',
  'event.reserved',
  'event.unknown',
  'globals.lost',
  'request.not-open',
  'request.refused',
  'request.timeout',
  'run.finished',
  'run.left',
  'run.output',
  'run.overtaken',
  'run.stopped',
  'runtime.closed',
  'step.result',
  'step.timeout',
  'update.refused',
  'value.unsupported',
  'view.absent',
  'view.invalid-budget',
  'view.not-readable',
  'wait.deadlock',
  'wait.invalid-timeout',
  'wait.timeout',
  'wait.unknown-key',
])

/** What stands before the words of somebody else: who has failed, and at what. */
const BEFORE_WORDS: Readonly<Record<string, string>> = {
  'agent.failed': ' failed: ',
  'step.failed': ' and failed: ',
}

interface DescribedError {
  readonly code: string
  readonly message: string
}

/** How a run's failure is told: by its code and who has failed, without anybody's own words. */
export function toldError({ code, message }: DescribedError): DescribedError {
  if (OURS.has(code)) return { code, message }
  const mark = BEFORE_WORDS[code]
  const end = mark === undefined ? -1 : message.indexOf(mark)
  const who = mark === undefined || end === -1 ? 'the run failed' : message.slice(0, end) + mark.slice(0, -': '.length)
  return { code, message: `${who}; its ledger has the reason` }
}

/** What a run ended with, as it is told: in the words of whoever failed only to those who may see everything. */
export function describeFailure(error: unknown, { secrets }: { readonly secrets: boolean }): DescribedError {
  const described = describeError(error)
  // What was thrown without a code is stored as `error`.
  const known = described.code === 'error' ? { ...described, code: 'run.failed' } : described
  return secrets ? known : toldError(known)
}
