// The command behind `npm start`: arguments in, files and exit code out. `callboard resume` finds evolution and conclude
// here, and finishes what was interrupted.
import { createRuntime, isCallboardError, randomIds } from 'callboard'
import type { Run } from 'callboard'
import { loadModel } from 'callboard/ai'
import {
  databaseOption,
  EXIT,
  hint,
  openDatabase,
  parseWith,
  runInTerminal,
  visibleText,
  writeError,
} from 'callboard/cli'
import type { Conclude, Terminal, TerminalRun } from 'callboard/cli'
import { Command, InvalidArgumentError } from 'commander'
import { dirname, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { evolution } from '../evolution.ts'
import type { EvolutionOutput } from '../evolution.ts'
import { applyCommand } from './apply-command.ts'
import { isEvolutionError } from './error.ts'
import { readEvolution } from './export.ts'
import { assertFolder, defaultFolder, writeResults } from './output-folder.ts'
import type { WrittenFiles } from './output-folder.ts'
import { Focus } from './schema.ts'
import { summarise } from './summary-text.ts'

export { evolution } from '../evolution.ts'

interface Options {
  readonly focus?: Focus[]
  readonly approve?: boolean
  readonly json?: boolean
  readonly out?: string
  readonly model?: string
  readonly db: string
}

/** One evolution to be carried out. */
interface Job extends Options {
  readonly evolutionId: string
  readonly path: string
  readonly folder: string
  readonly terminal: Terminal
}

/** A person said no: beside the exit codes that every command has. */
const DECLINED = 4

const OWN_SOURCE = fileURLToPath(new URL('../../src', import.meta.url))
const OWN_MODULE = fileURLToPath(import.meta.url)

/** Failures that are the caller's to mend. */
const BAD_INPUT = [
  'evolution.no-such-path',
  'evolution.no-sources',
  'evolution.unreadable',
  'evolution.does-not-parse',
  'evolution.bad-folder',
] as const

/** Nor can a model be asked that is not there. */
const NO_MODEL = ['ai.model', 'ai.package-missing'] as const

/** Improves a project as the arguments say and gives the exit code. */
export async function evolve(args: readonly string[], terminal: Terminal): Promise<number> {
  let code: number = EXIT.success
  const command = new Command('npm start --')
    .usage('[path] [options]')
    .description('improves a code base on a copy and leaves a patch and a report')
    .argument('[path]', "a file or folder; Callboard's own source unless given")
    .option('--focus <areas>', `what to improve: ${Focus.options.join(',')} (all of them unless given)`, readFocus)
    .option('--approve', 'ask a person before anything is implemented')
    .option('--model <name>', 'a language model for texts: provider/model, or the address of a server, # and the model')
    .option('--json', 'write one JSON document instead of showing what happens')
    .option('--out <folder>', 'where to leave the results; callboard-out/<evolution id> unless given')
    .addOption(databaseOption())
    .addHelpText(
      'after',
      `\nexit codes: 0 success or partial success, 1 failed, 2 bad input, 3 approval is needed and nobody is there to be asked,\n${DECLINED} declined, 130 interrupted; npx callboard resume goes on with what was interrupted`,
    )
    .action(async (path: string | undefined, options: Options) => {
      const evolutionId = randomIds.next('run')
      const folder = options.out ?? defaultFolder(evolutionId)
      const target = path ?? (relative(terminal.cwd, OWN_SOURCE) || '.')
      code = await carryOut({ ...options, evolutionId, path: target, folder, terminal })
    })
  return (await parseWith(command, args, terminal)) ?? code
}

function readFocus(text: string): Focus[] {
  const areas = text.split(',').map((area) => area.trim())
  const unknown = areas.find((area) => !Focus.safeParse(area).success)
  if (unknown === undefined) return Focus.array().parse(areas)
  throw new InvalidArgumentError(`There is no area "${unknown}"; choose from ${Focus.options.join(', ')}`)
}

async function carryOut(job: Job): Promise<number> {
  const { evolutionId, path, folder, db, focus, approve = false, json = false, model, terminal } = job
  const { cwd } = terminal
  try {
    await assertFolder(folder, { target: path, cwd })
    await assertFolder(dirname(db), { target: path, cwd, option: '--db' })
    if (model !== undefined) await loadModel(model)
  } catch (error) {
    return refuse(error, terminal)
  }
  await using database = await openDatabase(db, terminal)
  using _lock = database.lock(evolutionId)
  await using runtime = await createRuntime({ store: database.store })
  const input = { path, approve, ...(focus === undefined ? {} : { focus }), ...(model === undefined ? {} : { model }) }
  const labels = { module: relative(cwd, OWN_MODULE), out: folder }
  const finished = await runInTerminal(runtime, evolution, { input, terminal, runId: evolutionId, labels, quiet: json })
  const { run, outcome } = finished
  switch (outcome.kind) {
    case 'done':
      return await conclude({ run, output: outcome.output }, { terminal, json })
    case 'failed':
      writeError(outcome.error, terminal)
      return EXIT.failed
    case 'ended':
      terminal.err.write(
        `stopped by ${outcome.signal}; nothing was changed and no results were written\n` +
          `go on with: ${hint('resume', evolutionId, db)}\n`,
      )
      return EXIT[outcome.signal]
    case 'waiting':
      return await waitForApproval(job, finished, outcome.requests[0]?.question ?? outcome.explanation)
    default:
      throw new TypeError(`unknown outcome ${String(outcome satisfies never)}`)
  }
}

function refuse(error: unknown, terminal: Terminal): number {
  writeError(error, terminal)
  return isBadInput(error) ? EXIT.usage : EXIT.failed
}

const isBadInput = (error: unknown): boolean =>
  BAD_INPUT.some((code) => isEvolutionError(error, code)) || NO_MODEL.some((code) => isCallboardError(error, code))

/** Leaves the results of an evolution that is done, and says where they are. */
export const conclude: Conclude = async ({ run, output: given }, { terminal, json }) => {
  // The workflow's schema has seen to it.
  const output = given as EvolutionOutput
  const { cwd } = terminal
  const { verdict, reason, error } = output
  const isUnusable = BAD_INPUT.some((code) => code === error?.code)
  if (error !== null) terminal.err.write(`error: ${visibleText(reason)}\n`)
  if (isUnusable && json) writeDocument(terminal, { ...output, files: null, next: null })
  if (isUnusable) return EXIT.usage
  const files = await writeResults(run, { folder: folderOf(run), cwd, now: terminal.clock.now })
  const next = await nextCommand(output, files, cwd)
  if (json) writeDocument(terminal, { ...output, files, next })
  else {
    terminal.out.write(summarise({ known: readEvolution(run), verdict, reason, files, cwd }))
    if (next !== null) terminal.out.write(`next: ${terminal.style('bold', next)}\n`)
  }
  return exitCodeOf(verdict)
}

const folderOf = ({ id, labels }: Run): string => labels['out'] ?? defaultFolder(id)

function exitCodeOf(verdict: EvolutionOutput['verdict']): number {
  switch (verdict) {
    case 'success':
    case 'partial':
      return EXIT.success
    case 'failed':
      return EXIT.failed
    case 'declined':
      return DECLINED
    default:
      throw new TypeError(`unknown verdict ${String(verdict satisfies never)}`)
  }
}

/** What to type next; null when there is nothing to apply. */
async function nextCommand(
  { verdict, root }: EvolutionOutput,
  { patch }: WrittenFiles,
  cwd: string,
): Promise<string | null> {
  if (patch === null || root === null || verdict === 'failed') return null
  return applyCommand({ root, patch, cwd })
}

/** The plan is there, but nobody who could say yes to it. */
async function waitForApproval(
  { folder, db, json = false, terminal }: Job,
  { run }: TerminalRun<EvolutionOutput>,
  question: string,
): Promise<number> {
  const { cwd } = terminal
  const files = await writeResults(run, { folder, cwd, now: terminal.clock.now })
  if (json) writeDocument(terminal, { evolutionId: run.id, verdict: 'waiting', question, files, next: null })
  terminal.err.write(
    `the plan waits for a person: ${question}\n` +
      `it is in ${relative(cwd, files.context)}; nothing was implemented\n` +
      `to answer, go on in a terminal: ${hint('resume', run.id, db)}; to go on without asking, begin anew without --approve\n`,
  )
  return EXIT.waiting
}

const writeDocument = (terminal: Terminal, document: object): void =>
  void terminal.out.write(`${JSON.stringify(document, null, 2)}\n`)
