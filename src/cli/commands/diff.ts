import { Command } from 'commander'
import { diffBoards } from '../../ledger/index.ts'
import type { EntryDifference } from '../../ledger/index.ts'
import type { Entry } from '../../context/index.ts'
import { databaseOption, openExisting } from '../database.ts'
import { EXIT } from '../exit-code.ts'
import { findRun } from '../find-run.ts'
import { pointOf, seenAt, stateAt, writeJson } from '../look.ts'
import { Redactor } from '../redact.ts'
import { preview } from '../table.ts'
import type { Style, Terminal } from '../terminal.ts'
import { visibleText } from '../visible-text.ts'

/** `callboard diff <run> <from> <to>`: what is different at one point from another. */
export function diffCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('diff')
    .description('show what is different at one point of a run from another')
    .argument('<run>', 'its id, or how the id begins')
    .argument('<from>', 'the number of a record, or the id of a snapshot')
    .argument('<to>', 'the same')
    .addOption(databaseOption())
    .option('--json', 'write one JSON document')
    .action(async (run: string, from: string, to: string, { db, json = false }: { db: string; json?: boolean }) => {
      await using database = await openExisting(db, terminal)
      const { store } = database
      const summary = await findRun(database, run)
      const { runId } = summary
      const newest = await stateAt(store, runId)
      const points = [pointOf(summary, newest, from), pointOf(summary, newest, to)] as const
      const before = await seenAt(store, runId, points[0])
      const after = await seenAt(store, runId, points[1])
      const redactor = new Redactor()
      redactor.learn(before.board.cells())
      redactor.learn(after.board.cells())
      const differences = diffBoards(before.board, after.board)
      const states = { from: before.machine?.value, to: after.machine?.value }
      if (json) {
        const entries = differences.map((difference) => hidden(difference, redactor))
        writeJson(terminal, { runId, from: points[0], to: points[1], states, entries })
      } else {
        const [was, is] = [textOf(states.from), textOf(states.to)]
        if (was !== is) terminal.out.write(`state ${was} → ${is}\n`)
        for (const difference of differences) terminal.out.write(linesOf(difference, redactor, terminal))
      }
      end(EXIT.success)
    })
}

const textOf = (state: unknown): string => visibleText(JSON.stringify(state ?? null))

function hidden({ before, after, ...where }: EntryDifference, redactor: Redactor): object {
  const show = (entry: Entry | undefined): object | undefined =>
    entry && { ...entry, value: redactor.valueOf({ entry }) }
  return { ...where, before: show(before), after: show(after) }
}

function linesOf({ key, holder, before, after }: EntryDifference, redactor: Redactor, { style }: Terminal): string {
  const where = visibleText(holder === undefined ? key : `${key} (${holder})`)
  const line = (mark: string, format: Style, entry: Entry): string => {
    const stale = entry.stale ? ' (stale)' : ''
    return style(format, `${mark} ${where} ${entry.version}${stale}  ${preview(redactor.valueOf({ entry }))}`)
  }
  return [
    ...(before === undefined ? [] : [line('-', 'red', before)]),
    ...(after === undefined ? [] : [line('+', 'green', after)]),
  ]
    .map((text) => `${text}\n`)
    .join('')
}
