import { Command } from 'commander'
import type { VerifyReport } from '../../store/index.ts'
import { databaseOption, openExisting } from '../database.ts'
import { EXIT } from '../exit-code.ts'
import { findRun, listRuns } from '../find-run.ts'
import { writeJson } from '../look.ts'
import { replayRuns } from '../replay-runs.ts'
import type { Replayed } from '../replay-runs.ts'
import type { Terminal } from '../terminal.ts'
import { visibleText } from '../visible-text.ts'

interface VerifyOptions {
  readonly db: string
  readonly replay?: boolean
  readonly module?: string
  readonly export?: string
  readonly json?: boolean
}

/** `callboard verify [run]`: whether everything stored is what was written, and follows again from what was asked. */
export function verifyCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('verify')
    .description('check that what is stored is what was written')
    .argument('[run]', 'its id, or how the id begins; everything unless given')
    .option('--replay', 'execute again what was asked, and compare what comes of it')
    .option(
      '--module <module>',
      'for --replay: the module of the workflow; the one a run was started from unless given',
    )
    .option('--export <name>', 'for --replay: its export, where there are several')
    .addOption(databaseOption())
    .option('--json', 'write one JSON document')
    .addHelpText('after', '\nexit codes: 0 sound, 1 damaged, different, or not to be replayed, 2 not usable')
    .action(async (run: string | undefined, { db, replay = false, json = false, ...choice }: VerifyOptions) => {
      await using database = await openExisting(db, terminal)
      const runId = run === undefined ? undefined : await idToVerify(database, run)
      const report = await database.store.verify(runId)
      // What is not what was written cannot be expected to follow again.
      const sound = new Set(report.heads.map((head) => head.runId))
      const runs = replay ? (await listRuns(database, {}, () => {})).filter((known) => sound.has(known.runId)) : []
      const replays = await replayRuns(database, runs, choice, terminal)
      if (json) writeJson(terminal, replay ? { ...report, replays } : report)
      else tell(report, replays, terminal)
      const isFine = report.damage.length === 0 && replays.every(isSame)
      end(isFine ? EXIT.success : EXIT.failed)
    })
}

const isSame = (replayed: Replayed): boolean => !('why' in replayed) && replayed.difference === undefined

/** A run that is too damaged to be found by the beginning of its id is looked at by the whole one. */
async function idToVerify(database: Parameters<typeof findRun>[0], run: string): Promise<string> {
  const report = await database.store.verify(run)
  return report.runs > 0 || report.damage.length > 0 ? run : (await findRun(database, run)).runId
}

function tell(
  { runs, records, snapshots, damage }: VerifyReport,
  replays: readonly Replayed[],
  { out, err, style }: Terminal,
): void {
  for (const { message } of damage) err.write(`damaged: ${visibleText(message)}\n`)
  const verdict = damage.length === 0 ? style('green', 'sound') : style('red', `${damage.length} damaged places`)
  out.write(`${verdict}: ${runs} runs, ${records} records, ${snapshots} snapshots\n`)
  for (const replayed of replays) {
    const text = visibleText(`${replayed.runId}: ${describeReplay(replayed)}`)
    out.write(`${style(isSame(replayed) ? 'green' : 'red', text)}\n`)
    if ('why' in replayed) continue
    for (const { seq, why } of replayed.takenOver) out.write(`${visibleText(`  ${seq} was taken over: ${why}`)}\n`)
  }
}

function describeReplay(replayed: Replayed): string {
  if ('why' in replayed) return `not replayed: ${replayed.why}`
  const { records, difference } = replayed
  if (difference === undefined) return `${records} records come out the same`
  const { seq, key, message } = difference
  return `differs at ${seq}${key === undefined ? '' : ` (${key})`}: ${message}`
}
