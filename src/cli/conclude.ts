// What becomes of a run that has come to an end, or cannot go on, in the terminal.
import { toTagged } from '../base/index.ts'
import type { OpenRequest, Run } from '../runtime/index.ts'
import { EXIT } from './exit-code.ts'
import { describeError, writeError } from './fail.ts'
import { asWord, hint } from './hint.ts'
import type { TerminalOutcome, TerminalRun } from './run-in-terminal.ts'
import type { Terminal } from './terminal.ts'
import { visible, visibleText } from './visible-text.ts'

/**
 * What a module may export as `conclude`: it is called by `callboard run` and `callboard resume`, in place of showing the
 * output, with a run that is done. It may write files and to the terminal, and gives the exit code. If it throws, the
 * command fails with that, and can be called again: `callboard resume <run>`. It must not end the process.
 */
export type Conclude = (
  finished: { readonly run: Run; readonly output: unknown },
  surroundings: { readonly terminal: Terminal; readonly json: boolean },
) => Promise<number>

export interface ConcludeOptions {
  readonly terminal: Terminal
  /** One JSON document instead of lines. */
  readonly json: boolean
  readonly conclude: Conclude | undefined
  /** The database it is kept in, as the user named it. */
  readonly db: string
}

/** Tells how a run went, and gives the exit code. */
export async function concludeRun(finished: TerminalRun<unknown>, options: ConcludeOptions): Promise<number> {
  const { run, outcome } = finished
  const { terminal, json, conclude } = options
  if (outcome.kind === 'done' && conclude !== undefined)
    return conclude({ run, output: outcome.output }, { terminal, json })
  if (json) terminal.out.write(`${JSON.stringify(toTagged(documentOf(finished)), null, 2)}\n`)
  else tell(finished, options)
  return exitCodeOf(outcome)
}

function exitCodeOf(outcome: TerminalOutcome<unknown>): number {
  switch (outcome.kind) {
    case 'done':
      return EXIT.success
    case 'failed':
      return EXIT.failed
    case 'ended':
      return EXIT[outcome.signal]
    case 'waiting':
      return EXIT.waiting
    default:
      throw new TypeError(`unknown outcome ${String(outcome satisfies never)}`)
  }
}

function documentOf({ run, outcome }: TerminalRun<unknown>): object {
  const { id: runId, workflow } = run
  const common = { runId, workflow, status: outcome.kind }
  switch (outcome.kind) {
    case 'done':
      return { ...common, output: outcome.output }
    case 'failed':
      return { ...common, error: describeError(outcome.error) }
    case 'ended':
      return { ...common, signal: outcome.signal }
    case 'waiting':
      return { ...common, requests: outcome.requests, explanation: outcome.explanation }
    default:
      throw new TypeError(`unknown outcome ${String(outcome satisfies never)}`)
  }
}

function tell({ run, outcome }: TerminalRun<unknown>, { terminal, db }: ConcludeOptions): void {
  const { out, err, style } = terminal
  const resume = hint('resume', run.id, db)
  switch (outcome.kind) {
    case 'done':
      out.write(`${style('green', 'done')}, look at it with: ${hint('show', run.id, db)}\n`)
      if (outcome.output !== undefined) out.write(`${JSON.stringify(toTagged(outcome.output), null, 2)}\n`)
      return
    case 'failed':
      writeError(outcome.error, terminal)
      out.write(`${style('red', 'failed')}, look at it with: ${hint('ledger', run.id, db)}\n`)
      return
    case 'ended':
      err.write(visible`run ${run.id} was interrupted by ${outcome.signal}; go on with: ${resume}` + '\n')
      return
    case 'waiting':
      err.write(`${visible`run ${run.id} cannot go on by itself`}; ${whatHelps(outcome.requests, resume)}\n`)
      for (const request of outcome.requests) err.write(`${howToAnswer(request, db)}\n`)
      for (const line of outcome.explanation.split('\n')) err.write(`${visibleText(line)}\n`)
      return
    default:
      throw new TypeError(`unknown outcome ${String(outcome satisfies never)}`)
  }
}

const whatHelps = (requests: readonly OpenRequest[], resume: string): string =>
  requests.length > 0
    ? `to answer what it asks, go on in a terminal: ${resume}`
    : `what it waits for comes from outside, an entry or an event; go on with: ${resume}`

/** An answer is given to the run that asks, which may be a child. */
function howToAnswer({ id, runId, agent, question, target }: OpenRequest, db: string): string {
  const what = question ?? Object.values(target)[0] ?? ''
  return `${visible`${agent} asks: ${what}`} (${hint('answer', runId, db)} ${asWord(id)} <answer>)`
}
