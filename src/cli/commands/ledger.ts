import { Command, InvalidArgumentError } from 'commander'
import { databaseOption, openExisting } from '../database.ts'
import type { Database } from '../database.ts'
import { describeRecord } from '../describe-record.ts'
import { EXIT } from '../exit-code.ts'
import { findRun } from '../find-run.ts'
import { recordsOf, stateAt, tellWhatIsKept } from '../look.ts'
import { Redactor } from '../redact.ts'
import type { LedgerRecord } from '../../ledger/index.ts'
import type { RunSummary } from '../../store/index.ts'
import type { EndSignal, Terminal } from '../terminal.ts'

interface LedgerOptions {
  readonly db: string
  readonly from?: number
  readonly follow?: boolean
  readonly json?: boolean
}

/** How often a ledger that somebody else writes is looked at. */
const LOOK_AGAIN_MS = 200

/** `callboard ledger <run>`: what happened, record by record. */
export function ledgerCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('ledger')
    .description('show what happened in a run, record by record')
    .argument('<run>', 'its id, or how the id begins')
    .option('--from <seq>', 'begin with this record', readSeq)
    .option('--follow', 'go on until the run ends')
    .addOption(databaseOption())
    .option('--json', 'write one line of JSON a record')
    .action(async (run: string, options: LedgerOptions) => {
      await using database = await openExisting(options.db, terminal)
      end(await showLedger(database, await findRun(database, run), { ...options, terminal }))
    })
}

/** A record's number. */
export function readSeq(text: string): number {
  if (/^\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text)
  throw new InvalidArgumentError('Give the number of a record.')
}

async function showLedger(
  { store }: Database,
  { runId }: RunSummary,
  { from, follow = false, json = false, terminal }: LedgerOptions & { readonly terminal: Terminal },
): Promise<number> {
  // From the beginning: somebody may have seen enough before all of it is shown.
  using interrupt = follow ? listen(terminal) : undefined
  const redactor = new Redactor()
  redactor.learn((await stateAt(store, runId)).board.cells())
  let next = from ?? (await tellWhatIsKept(store, runId, terminal))
  const show = async (): Promise<void> => {
    const records: LedgerRecord[] = []
    for await (const record of recordsOf(store, runId, next)) records.push(record)
    // Before any is shown: a step's result may hold what is marked as sensitive only later.
    for (const { changes } of records) redactor.learn(changes.map(({ cell }) => cell))
    for (const record of records) {
      const line = json ? JSON.stringify(redactor.record(record)) : describeRecord(record, redactor)
      terminal.out.write(`${line}\n`)
      next = record.seq + 1
    }
  }
  await show()
  if (interrupt === undefined) return EXIT.success
  while (interrupt.signal === undefined) {
    // In this order: what was written before the end is shown.
    const status = (await store.summary(runId))?.status
    await show()
    if (status !== 'active') return EXIT.success
    await interrupt.pause(LOOK_AGAIN_MS)
  }
  return EXIT[interrupt.signal]
}

/** Waits, and hears when the process is told to end. */
function listen({ clock, onSignal }: Terminal): Disposable & {
  readonly signal: EndSignal | undefined
  pause(ms: number): Promise<void>
} {
  let signal: EndSignal | undefined
  let wake = (): void => {}
  const off = onSignal((sent) => {
    signal = sent
    wake()
  })
  return {
    get signal() {
      return signal
    },
    pause: (ms) =>
      new Promise((resolve) => {
        const timer = clock.setTimeout(resolve, ms)
        wake = () => {
          clock.clearTimeout(timer)
          resolve()
        }
      }),
    [Symbol.dispose]: off,
  }
}
