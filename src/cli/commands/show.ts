import { Command } from 'commander'
import { entryOf } from '../../context/index.ts'
import type { Cell } from '../../context/index.ts'
import { firstKeptSeq, openRequestsIn } from '../../runtime/index.ts'
import type { RunState, StoredRequest } from '../../runtime/index.ts'
import type { RunSummary } from '../../store/index.ts'
import { databaseOption, openExisting } from '../database.ts'
import type { Database } from '../database.ts'
import { EXIT } from '../exit-code.ts'
import { findRun, listRuns } from '../find-run.ts'
import { hint } from '../hint.ts'
import { recordsOf, seenAt, stateAt, writeJson } from '../look.ts'
import { Redactor } from '../redact.ts'
import { instant, preview, table } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { visibleText } from '../visible-text.ts'

/** A child run, and how much it asks itself. */
interface ShownChild extends RunSummary {
  readonly openRequests: number
}

/** What is shown of a run. */
interface Shown {
  readonly summary: RunSummary
  readonly state: RunState
  readonly cells: readonly Cell[]
  readonly requests: readonly StoredRequest[]
  readonly children: readonly ShownChild[]
  /** The first record that is kept: conflicts and refusals are counted from there. */
  readonly firstSeq: number
  readonly conflicts: number
  readonly refusals: number
  readonly isWorkedOn: boolean
}

/** `callboard show <run>`: how a run stands. */
export function showCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('show')
    .description('show how a run stands: its state, its entries, what it asks')
    .argument('<run>', 'its id, or how the id begins')
    .addOption(databaseOption())
    .option('--json', 'write one JSON document')
    .action(async (run: string, { db, json = false }: { readonly db: string; readonly json?: boolean }) => {
      await using database = await openExisting(db, terminal)
      const shown = await look(database, await findRun(database, run))
      const redactor = new Redactor()
      redactor.learn(shown.cells)
      if (json) writeJson(terminal, documentOf(shown, redactor))
      else terminal.out.write(textOf(shown, redactor, db))
      end(EXIT.success)
    })
}

async function look(database: Database, summary: RunSummary): Promise<Shown> {
  const { store } = database
  const { runId } = summary
  const state = await seenAt(store, runId)
  const firstSeq = await firstKeptSeq(store, runId)
  let conflicts = 0
  let refusals = 0
  for await (const record of recordsOf(store, runId, firstSeq)) {
    conflicts += record.conflicts.length
    refusals += record.refusals.length
  }
  return {
    summary,
    state,
    cells: [...state.board.cells()].filter(({ live }) => live),
    requests: openRequestsIn(state),
    children: await childrenOf(database, runId),
    firstSeq,
    conflicts,
    refusals,
    isWorkedOn: database.isWorkedOn(runId),
  }
}

async function childrenOf(database: Database, runId: string): Promise<readonly ShownChild[]> {
  const all = await listRuns(database, {}, () => {})
  const children = all.filter(({ parent }) => parent?.runId === runId)
  return Promise.all(
    children.map(async (child) => {
      // A damaged child is its own matter.
      const state = await stateAt(database.store, child.runId).catch(() => undefined)
      return { ...child, openRequests: state === undefined ? 0 : openRequestsIn(state).length }
    }),
  )
}

function documentOf(shown: Shown, redactor: Redactor): object {
  const { summary, state, cells, requests, children, firstSeq, conflicts, refusals, isWorkedOn } = shown
  return {
    ...summary,
    firstSeq,
    isWorkedOn,
    state: state.machine?.value,
    output: redactor.hide(state.machine?.output),
    error: state.notes.end?.error ?? state.machine?.error,
    entries: cells.map((cell) => ({ ...entryOf(cell), value: redactor.valueOf(cell) })),
    requests,
    snapshots: state.notes.snapshots,
    children: children.map(({ runId }) => runId),
    conflicts,
    refusals,
  }
}

function textOf(shown: Shown, redactor: Redactor, db: string): string {
  const { summary, state, cells, requests, children, firstSeq, conflicts, refusals, isWorkedOn } = shown
  const { runId, workflow, version, status, seq, createdAt, updatedAt, labels, parent } = summary
  const { machine, notes } = state
  const error = notes.end?.error ?? machine?.error
  const facts: (readonly [string, string])[] = [
    ['workflow', `${workflow} (version ${version})`],
    ['status', isWorkedOn ? `${status}, a process works on it` : status],
    ['state', JSON.stringify(machine?.value ?? null)],
    ['records', `${seq}, from ${instant(createdAt)} to ${instant(updatedAt)}`],
    ...(firstSeq === 1 ? [] : [['kept', `records from ${firstSeq} on`] as const]),
    ...Object.entries(labels ?? {}),
    ...(parent === undefined ? [] : [['parent', `${parent.runId} (as ${parent.id})`] as const]),
    ...children.map((child) => ['child', `${child.runId} (${child.status}${asksHow(child)})`] as const),
    ...notes.snapshots.map(({ id, seq: at, reason }) => ['snapshot', `${id} at ${at}: ${reason}`] as const),
    ...(conflicts === 0 ? [] : [['conflicts', String(conflicts)] as const]),
    ...(refusals === 0 ? [] : [['refusals', String(refusals)] as const]),
    ...(machine?.output === undefined ? [] : [['output', preview(redactor.hide(machine.output))] as const]),
    ...(error === undefined ? [] : [['error', redactor.text(error.message)] as const]),
  ]
  const rows = cells.map((cell) => {
    const { key, version: entryVersion, priority, scope, updatedBy, stale } = cell.entry
    const flags = stale ? 'stale' : ''
    return [key, String(entryVersion), priority, scope, updatedBy, flags, preview(redactor.valueOf(cell))]
  })
  const entries =
    rows.length === 0 ? '' : `\n${table([['entry', 'version', 'priority', 'scope', 'by', '', 'value'], ...rows])}`
  return `${visibleText(runId)}\n${table(facts, '  ')}${entries}${askedText(requests, summary, db)}`
}

const asksHow = ({ openRequests: count }: ShownChild): string =>
  count === 0 ? '' : `, ${count === 1 ? 'an open request' : `${count} open requests`}`

function askedText(requests: readonly StoredRequest[], { runId, status }: RunSummary, db: string): string {
  if (requests.length > 0) {
    const rows = requests.map(({ id, agent, question, target }) => [
      id,
      agent,
      question ?? Object.values(target)[0] ?? '',
    ])
    return `\n${table([['request', 'asked by', 'question'], ...rows])}\nanswer with: ${hint('answer', runId, db)} <request> <answer>\n`
  }
  return status === 'active' ? `\ngo on with: ${hint('resume', runId, db)}\n` : ''
}
