// The command line: arguments in, exit code out. Every command is a file of its own in commands/.
import { Command, CommanderError } from 'commander'
import { isCallboardError } from '../base/index.ts'
import { answerCommand } from './commands/answer.ts'
import { checkCommand } from './commands/check.ts'
import { diffCommand } from './commands/diff.ts'
import { doctorCommand } from './commands/doctor.ts'
import { exportCommand } from './commands/export.ts'
import { forkCommand } from './commands/fork.ts'
import { gcCommand } from './commands/gc.ts'
import { graphCommand } from './commands/graph.ts'
import { importCommand } from './commands/import.ts'
import { ledgerCommand } from './commands/ledger.ts'
import { logCommand } from './commands/log.ts'
import { mcpCommand } from './commands/mcp.ts'
import { migrateCommand } from './commands/migrate.ts'
import { packCommand } from './commands/pack.ts'
import { restoreCommand } from './commands/restore.ts'
import { resumeCommand } from './commands/resume.ts'
import { runCommand } from './commands/run.ts'
import { runsCommand } from './commands/runs.ts'
import { serveCommand } from './commands/serve.ts'
import { showCommand } from './commands/show.ts'
import { tokenCommand } from './commands/token.ts'
import { unpackCommand } from './commands/unpack.ts'
import { verifyCommand } from './commands/verify.ts'
import { viewCommand } from './commands/view.ts'
import { EXIT } from './exit-code.ts'
import { writeError } from './fail.ts'
import { readManifest } from './manifest.ts'
import type { Terminal } from './terminal.ts'

/** Makes a command; `end` takes the exit code it ends with. */
export type CommandFactory = (terminal: Terminal, end: (code: number) => void) => Command

const COMMANDS: readonly CommandFactory[] = [
  runCommand,
  resumeCommand,
  answerCommand,
  serveCommand,
  tokenCommand,
  forkCommand,
  restoreCommand,
  graphCommand,
  checkCommand,
  runsCommand,
  showCommand,
  ledgerCommand,
  logCommand,
  viewCommand,
  diffCommand,
  verifyCommand,
  exportCommand,
  importCommand,
  packCommand,
  unpackCommand,
  gcCommand,
  mcpCommand,
  migrateCommand,
  doctorCommand,
]

/** Carries out a command line, without the program's own name, and gives the exit code. */
export async function callboard(args: readonly string[], terminal: Terminal): Promise<number> {
  let code: number = EXIT.success
  const program = new Command('callboard')
    .description('runs multi-agent workflows, goes on with them, and looks into them')
    .version(readManifest().version)
  for (const command of COMMANDS) program.addCommand(command(terminal, (ended) => (code = ended)))
  return (await parseWith(program, args, terminal)) ?? code
}

/** Parses and acts; gives an exit code where it did not come to that. */
export async function parseWith(
  program: Command,
  args: readonly string[],
  terminal: Terminal,
): Promise<number | undefined> {
  for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)]) {
    command.exitOverride().configureOutput({
      writeOut: (text) => terminal.out.write(text),
      writeErr: (text) => terminal.err.write(text),
      // Commander puts its suggestion on a second line.
      outputError: (text, write) =>
        write(
          `${text
            .trim()
            .replaceAll(/\s*\n\s*/g, ' ')
            .replace(/\.$/, '')}; see ${program.name()} --help\n`,
        ),
    })
  }
  try {
    await program.parseAsync(args, { from: 'user' })
    return undefined
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.success : EXIT.usage
    writeError(error, terminal)
    return isUsageError(error) ? EXIT.usage : EXIT.failed
  }
}

const isUsageError = (error: unknown): boolean =>
  isCallboardError(error) && (error.code.startsWith('cli.') || USAGE_ERRORS.has(error.code))

/** What is wrong with what a command was given, in other words than `cli.…`. */
const USAGE_ERRORS: ReadonlySet<string> = new Set([
  'run.input',
  'store.wrong-key',
  'store.weak-key',
  'store.format',
  'store.path',
  'request.refused',
  'agent.unknown',
  'run.no-such-seq',
  'run.trimmed',
  'run.exists',
  'run.invalid-id',
  'update.refused',
  'run.finished',
  'server.address',
  'server.open-to-all',
  'server.option',
  'mcp.package-missing',
  'mcp.unknown-agent',
])
