import { Command } from 'commander'
import { viewStored } from '../../runtime/index.ts'
import { workflowOf } from '../../workflow/index.ts'
import type { WorkflowDefinition } from '../../workflow/index.ts'
import { databaseOption, openExisting } from '../database.ts'
import { EXIT } from '../exit-code.ts'
import { findRun } from '../find-run.ts'
import { loadWorkflow } from '../load-module.ts'
import { pointOf, stateAt, writeJson } from '../look.ts'
import { moduleOf } from '../module-of.ts'
import { Redactor } from '../redact.ts'
import { preview, table } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { visibleText } from '../visible-text.ts'

interface ViewOptions {
  readonly db: string
  readonly at?: string
  readonly type?: string
  readonly module?: string
  readonly export?: string
  readonly json?: boolean
}

/** `callboard view <run> <agent>`: what an agent sees, or saw. */
export function viewCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('view')
    .description('show what an agent sees, or saw at a point')
    .argument('<run>', 'its id, or how the id begins')
    .argument('<agent>', "the agent's id")
    .option('--at <point>', 'after this record, or at this snapshot; now unless given')
    .option('--type <type>', "the agent's type, where its id does not tell")
    .option('--module <module>', 'the module of the workflow; the one the run was started from unless given')
    .option('--export <name>', 'its export, where there are several')
    .addOption(databaseOption())
    .option('--json', 'write one JSON document')
    .action(async (run: string, agent: string, options: ViewOptions) => {
      const { db, at, type, json = false } = options
      await using database = await openExisting(db, terminal)
      const { store } = database
      const summary = await findRun(database, run)
      const { runId, labels } = summary
      const { workflow } = await loadWorkflow(moduleOf(runId, labels, options, terminal))
      const atSeq = at === undefined ? undefined : pointOf(summary, await stateAt(store, runId), at)
      const definition = workflowOf(workflow) as WorkflowDefinition
      const view = await viewStored({ store, definition, runId, agent, type, atSeq })
      const redactor = new Redactor()
      const entries = view.entries()
      redactor.learn(entries.map((entry) => ({ entry })))
      const shown = entries.map((entry) => ({ ...entry, value: redactor.valueOf({ entry }) }))
      if (json) writeJson(terminal, { runId, agent, seq: view.seq, entries: shown })
      else if (shown.length === 0) terminal.err.write(`${visibleText(agent)} sees nothing\n`)
      else {
        const rows = shown.map(({ key, version, priority, scope, value }) => [
          key,
          String(version),
          priority,
          scope,
          preview(value),
        ])
        terminal.out.write(table([['entry', 'version', 'priority', 'scope', 'value'], ...rows]))
      }
      end(EXIT.success)
    })
}
