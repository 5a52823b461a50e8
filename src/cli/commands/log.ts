import { Command } from 'commander'
import { CallboardError } from '../../base/index.ts'
import type { CellChange, Conflict } from '../../context/index.ts'
import type { LedgerRecord } from '../../ledger/index.ts'
import { databaseOption, openExisting } from '../database.ts'
import { EXIT } from '../exit-code.ts'
import { findRun } from '../find-run.ts'
import { recordsOf, tellWhatIsKept, writeJson } from '../look.ts'
import { Redactor } from '../redact.ts'
import { instant, preview, table } from '../table.ts'
import type { Terminal } from '../terminal.ts'

/** One change of an entry. */
interface Logged {
  readonly record: LedgerRecord
  readonly change: CellChange
  readonly conflicts: readonly Conflict[]
}

/** `callboard log <run> <key>`: every version of an entry, who wrote it and when. */
export function logCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('log')
    .description('show every change of an entry: who, what, when')
    .argument('<run>', 'its id, or how the id begins')
    .argument('<key>', 'the key of the entry, in every scope')
    .addOption(databaseOption())
    .option('--json', 'write one JSON document')
    .action(
      async (run: string, key: string, { db, json = false }: { readonly db: string; readonly json?: boolean }) => {
        await using database = await openExisting(db, terminal)
        const { runId } = await findRun(database, run)
        const logged: Logged[] = []
        const keys = new Set<string>()
        const firstSeq = await tellWhatIsKept(database.store, runId, terminal)
        for await (const record of recordsOf(database.store, runId, firstSeq)) {
          const conflicts = record.conflicts.filter((conflict) => conflict.key === key)
          for (const change of record.changes) {
            keys.add(change.key)
            if (change.key === key) logged.push({ record, change, conflicts })
          }
        }
        if (logged.length === 0) throw noSuchKey(runId, key, [...keys])
        const redactor = new Redactor()
        redactor.learn(logged.map(({ change }) => change.cell))
        if (json)
          writeJson(
            terminal,
            logged.map((line) => documentOf(line, redactor)),
          )
        else terminal.out.write(table([HEAD, ...logged.map((line) => rowOf(line, redactor))]))
        end(EXIT.success)
      },
    )
}

const HEAD = ['seq', 'at', 'version', 'by', 'what', 'value']

function rowOf({ record, change: { kind, cell }, conflicts }: Logged, redactor: Redactor): readonly string[] {
  const { version, updatedBy, scope, holder } = cell.entry
  const where = holder === undefined ? (scope === 'workflow' ? '' : ` ${scope}`) : ` ${scope} ${holder}`
  const disputed = conflicts.length === 0 ? '' : ` (conflicts: ${conflicts.map(({ id }) => id).join(', ')})`
  const value = cell.live ? preview(redactor.valueOf(cell)) : ''
  return [String(record.seq), instant(record.at), String(version), updatedBy, `${kind}${where}${disputed}`, value]
}

function documentOf({ record, change: { kind, scope, holder, cell }, conflicts }: Logged, redactor: Redactor): object {
  const { version, updatedBy } = cell.entry
  return {
    seq: record.seq,
    at: record.at,
    kind,
    by: updatedBy,
    scope,
    holder,
    version,
    ...(cell.live ? { value: redactor.valueOf(cell) } : {}),
    conflicts: conflicts.map(({ id, path, policy, against }) => ({ id, path, policy, against })),
  }
}

const MOST_NAMED = 20

function noSuchKey(runId: string, key: string, keys: readonly string[]): CallboardError {
  const named = keys.slice(0, MOST_NAMED).join(', ') || 'none'
  const more = keys.length > MOST_NAMED ? `, … (${keys.length})` : ''
  return new CallboardError('cli.no-such-key', `run ${runId} has no entry "${key}"; it has ${named}${more}`, {
    runId,
    key,
  })
}
