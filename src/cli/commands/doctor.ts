import { existsSync, readdirSync, statSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { Command } from 'commander'
import { inspectSqlite, isLocked } from '../../store/sqlite/index.ts'
import { databaseOption, locksOf, openExisting } from '../database.ts'
import { EXIT } from '../exit-code.ts'
import { describeError } from '../fail.ts'
import { listRuns } from '../find-run.ts'
import { writeJson } from '../look.ts'
import { readManifest } from '../manifest.ts'
import { table } from '../table.ts'
import type { Style, Terminal } from '../terminal.ts'

/** One thing that was looked at. */
interface Finding {
  readonly what: string
  readonly verdict: 'ok' | 'warning' | 'bad'
  readonly text: string
}

/** Below this, writing will fail soon. */
const LITTLE_SPACE = 100_000_000

/** `callboard doctor`: whether this installation and its database are in order. */
export function doctorCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('doctor')
    .description('look whether the installation and the database are in order')
    .addOption(databaseOption())
    .option('--json', 'write one JSON document')
    .addHelpText('after', '\nexit codes: 0 in order, 1 something is bad')
    .action(async ({ db, json = false }: { readonly db: string; readonly json?: boolean }) => {
      const findings = [...installation(), ...(await space(db, terminal)), ...(await database(db, terminal))]
      if (json) writeJson(terminal, findings)
      else terminal.out.write(table(findings.map(({ what, verdict, text }) => [mark(verdict, terminal), what, text])))
      end(findings.some(({ verdict }) => verdict === 'bad') ? EXIT.failed : EXIT.success)
    })
}

const STYLES: Readonly<Record<Finding['verdict'], Style>> = { ok: 'green', warning: 'yellow', bad: 'red' }

const mark = (verdict: Finding['verdict'], { style }: Terminal): string => style(STYLES[verdict], verdict)

function installation(): readonly Finding[] {
  const { version, engines, peerDependencies = {} } = readManifest()
  const { node, sqlite = 'none' } = process.versions
  const isFine = isAtLeast(node, engines.node.replace('>=', ''))
  const peers = Object.keys(peerDependencies)
  return [
    { what: 'callboard', verdict: 'ok', text: version },
    { what: 'node', verdict: isFine ? 'ok' : 'bad', text: isFine ? node : `${node}; ${engines.node} is needed` },
    { what: 'sqlite', verdict: sqlite === 'none' ? 'bad' : 'ok', text: sqlite },
    ...peers.map((name): Finding => {
      const isThere = isInstalled(name)
      return { what: name, verdict: 'ok', text: isThere ? 'installed' : 'not installed (optional)' }
    }),
  ]
}

function isInstalled(name: string): boolean {
  try {
    import.meta.resolve(name)
    return true
  } catch {
    return false
  }
}

function isAtLeast(version: string, least: string): boolean {
  const [have, need] = [version, least].map((text) => text.split('.').map(Number))
  for (const [index, number] of (need ?? []).entries()) {
    const own = have?.[index] ?? 0
    if (own !== number) return own > number
  }
  return true
}

async function space(db: string, { cwd }: Terminal): Promise<readonly Finding[]> {
  let folder = dirname(resolve(cwd, db))
  while (!existsSync(folder)) folder = dirname(folder)
  const { bavail, bsize } = await statfs(folder)
  const free = bavail * bsize
  const text = `${Math.floor(free / 1_000_000)} MB free for ${db}`
  return [{ what: 'disk', verdict: free < LITTLE_SPACE ? 'warning' : 'ok', text }]
}

async function database(db: string, terminal: Terminal): Promise<readonly Finding[]> {
  const file = resolve(terminal.cwd, db)
  if (!existsSync(file))
    return [{ what: 'database', verdict: 'warning', text: `there is no ${db} yet; callboard run makes it` }]
  try {
    return [...about(db, file), ...(await integrity(db, terminal)), ...locks(file)]
  } catch (error) {
    return [{ what: 'database', verdict: 'bad', text: describeError(error).message }]
  }
}

function about(db: string, file: string): readonly Finding[] {
  const { format, newestFormat, isEncrypted } = inspectSqlite(file)
  const size = ['', '-wal'].reduce((sum, end) => sum + (statSync(file + end, { throwIfNoEntry: false })?.size ?? 0), 0)
  const text = `${db}, ${Math.ceil(size / 1_000)} kB, ${isEncrypted ? 'encrypted' : 'not encrypted'}, format ${format}`
  if (format === newestFormat) return [{ what: 'database', verdict: 'ok', text }]
  return [{ what: 'database', verdict: 'warning', text: `${text}; callboard migrate brings it to ${newestFormat}` }]
}

async function integrity(db: string, terminal: Terminal): Promise<readonly Finding[]> {
  await using opened = await openExisting(db, terminal)
  const { runs, records, damage } = await opened.store.verify()
  const unfinished = (await listRuns(opened, { status: 'active' }, () => {})).filter(
    ({ parent }) => parent === undefined,
  )
  const left = unfinished.filter(({ runId }) => !opened.isWorkedOn(runId)).length
  const goOn = left === 0 ? '' : `, ${left} to go on with: callboard resume`
  return [
    damage.length === 0
      ? { what: 'integrity', verdict: 'ok', text: `${runs} ledgers with ${records} records are sound` }
      : { what: 'integrity', verdict: 'bad', text: `${damage.length} damaged places; callboard verify lists them` },
    { what: 'runs', verdict: 'ok', text: `${unfinished.length} unfinished${goOn}` },
  ]
}

/** Locks of processes that were killed lie there and mean nothing. */
function locks(file: string): readonly Finding[] {
  const folder = locksOf(file)
  if (!existsSync(folder)) return []
  const names = readdirSync(folder).filter((name) => name.endsWith('.lock'))
  const held = names.filter((name) => isLocked(join(folder, name))).length
  const text = `${held} runs are worked on, ${names.length - held} locks were left behind by processes that are gone`
  return [{ what: 'locks', verdict: 'ok', text }]
}
