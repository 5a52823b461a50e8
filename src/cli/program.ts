// The command line: arguments in, exit code out. Every command is a file of its own in commands/.
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { isCallboardError } from '../base/index.ts'
import { checkCommand } from './commands/check.ts'
import { graphCommand } from './commands/graph.ts'
import { runCommand } from './commands/run.ts'
import { EXIT } from './exit-code.ts'
import { writeError } from './fail.ts'
import type { Terminal } from './terminal.ts'

/** Makes a command; `end` takes the exit code it ends with. */
export type CommandFactory = (terminal: Terminal, end: (code: number) => void) => Command

const COMMANDS: readonly CommandFactory[] = [runCommand, graphCommand, checkCommand]

/** Carries out a command line, without the program's own name, and gives the exit code. */
export async function callboard(args: readonly string[], terminal: Terminal): Promise<number> {
  let code: number = EXIT.success
  const program = new Command('callboard').description('runs and draws multi-agent workflows').version(version())
  for (const command of COMMANDS) program.addCommand(command(terminal, (ended) => (code = ended)))
  return (await parseWith(program, args, terminal)) ?? code
}

/** Parses and acts; gives an exit code where it did not come to that. */
export async function parseWith(
  program: Command,
  args: readonly string[],
  terminal: Terminal,
): Promise<number | undefined> {
  for (const command of [program, ...program.commands]) {
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
  isCallboardError(error) && (error.code.startsWith('cli.') || error.code === 'run.input')

function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { readonly version: string }).version
}
