import { Command } from 'commander'
import { CallboardError } from '../../base/index.ts'
import { createRuntime, openRequestsIn } from '../../runtime/index.ts'
import type { StoredRequest } from '../../runtime/index.ts'
import { concludeRun } from '../conclude.ts'
import { databaseOption, openExisting } from '../database.ts'
import type { Database } from '../database.ts'
import { findRun, rootOf } from '../find-run.ts'
import { loadWorkflow } from '../load-module.ts'
import { stateAt } from '../look.ts'
import { moduleOf } from '../module-of.ts'
import { resumeInTerminal } from '../run-in-terminal.ts'
import type { Terminal } from '../terminal.ts'

interface AnswerOptions {
  readonly db: string
  readonly module?: string
  readonly export?: string
  readonly json?: boolean
}

/** `callboard answer <run> <request> <answer>`: answers what a run asks, and goes on with it. */
export function answerCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('answer')
    .description('answer what a run asks, and go on with it in this process')
    .argument('<run>', 'its id, or how the id begins')
    .argument('<request>', 'the id of the request, or the agent that asks, or the entry or event it asks for')
    .argument('<answer>', 'as JSON; a text may stand as it is, without quotes')
    .option('--module <module>', 'the module of the workflow; the one the run was started from unless given')
    .option('--export <name>', 'its export, where there are several')
    .addOption(databaseOption())
    .option('--json', 'write one JSON document instead of showing what happens')
    .addHelpText('after', '\nexit codes: those of callboard run')
    .action(async (run: string, request: string, text: string, options: AnswerOptions) => {
      const { db, json = false } = options
      await using database = await openExisting(db, terminal)
      const asking = await findRun(database, run)
      const root = await rootOf(database, asking)
      using _lock = database.lock(root.runId)
      const { id } = pick(asking.runId, await openRequests(database, asking.runId), request)
      const { workflow, conclude } = await loadWorkflow(moduleOf(root.runId, root.labels, options, terminal))
      await using runtime = await createRuntime({ store: database.store, workflows: [workflow] })
      const answer = { runId: asking.runId, id, text }
      const finished = await resumeInTerminal(runtime, root.runId, { terminal, quiet: json, answer })
      end(await concludeRun(finished, { terminal, json, conclude, db }))
    })
}

async function openRequests({ store }: Database, runId: string): Promise<readonly StoredRequest[]> {
  return openRequestsIn(await stateAt(store, runId))
}

/** @throws CallboardError `cli.no-such-request` */
function pick(runId: string, open: readonly StoredRequest[], text: string): StoredRequest {
  const exact = open.find(({ id }) => id === text)
  if (exact !== undefined) return exact
  const fitting = open.filter(({ agent, target }) => agent === text || Object.values(target).includes(text))
  const [first] = fitting
  if (first !== undefined && fitting.length === 1) return first
  const names = open.map(({ id }) => `"${id}"`).join(', ') || 'none'
  const why = first === undefined ? `has no open request "${text}"` : `has several requests for "${text}"`
  throw new CallboardError('cli.no-such-request', `run ${runId} ${why}; open are ${names}`, { runId, request: text })
}
