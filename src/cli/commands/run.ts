import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import { CallboardError, isCallboardError, toTagged } from '../../base/index.ts'
import { createRuntime } from '../../runtime/index.ts'
import type { OpenRequest } from '../../runtime/index.ts'
import { EXIT } from '../exit-code.ts'
import { describeError, writeError } from '../fail.ts'
import { loadWorkflow } from '../load-module.ts'
import { runInTerminal } from '../run-in-terminal.ts'
import type { TerminalOutcome, TerminalRun } from '../run-in-terminal.ts'
import type { Terminal } from '../terminal.ts'

interface RunOptions {
  readonly input?: string
  readonly export?: string
  readonly json?: true
}

/** `callboard run <module>`: runs a workflow once, in this process. */
export function runCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('run')
    .description('run the workflow that a module exports')
    .argument('<module>', 'a JavaScript or TypeScript file')
    .option('--input <json>', 'the input as JSON, or @file with JSON in it')
    .option('--export <name>', 'the export to run, where there are several')
    .option('--json', 'write one JSON document instead of showing what happens')
    .addHelpText('after', '\nexit codes: 0 done, 1 failed, 2 not usable, 3 waits for somebody, 130 interrupted')
    .action(async (module: string, options: RunOptions) => {
      const input = options.input === undefined ? undefined : await readInput(options.input)
      const workflow = await loadWorkflow({ module, exportName: options.export })
      await using runtime = await createRuntime()
      const quiet = options.json === true
      const finished = await runInTerminal(runtime, workflow, { input, terminal, quiet }).catch(withHint)
      if (quiet) terminal.out.write(`${JSON.stringify(toTagged(documentOf(finished)), null, 2)}\n`)
      else tell(finished, terminal)
      end(exitCodeOf(finished.outcome))
    })
}

/** Says where an input that does not fit can be corrected. */
function withHint(error: unknown): never {
  if (!isCallboardError(error, 'run.input')) throw error
  const message = `${error.message}; give the input with --input`
  throw new CallboardError(error.code, message, error.details, { cause: error })
}

/** @throws CallboardError `cli.input` */
async function readInput(text: string): Promise<unknown> {
  const where = text.startsWith('@') ? `"${text.slice(1)}"` : '--input'
  const json = text.startsWith('@')
    ? await readFile(text.slice(1), 'utf8').catch(() => {
        throw new CallboardError('cli.input', `cannot read the input ${where}; name a file after @`, { input: text })
      })
    : text
  try {
    return JSON.parse(json)
  } catch (error) {
    throw new CallboardError(
      'cli.input',
      `${where} is not JSON: ${describeError(error).message}; quote it as one word`,
      {},
    )
  }
}

function exitCodeOf(outcome: TerminalOutcome<unknown>): number {
  switch (outcome.kind) {
    case 'done':
      return EXIT.success
    case 'failed':
      return EXIT.failed
    case 'ended':
      return EXIT[outcome.signal]
    case 'waiting':
      return EXIT.waiting
    default:
      throw new TypeError(`unknown outcome ${String(outcome satisfies never)}`)
  }
}

function documentOf({ run, outcome }: TerminalRun<unknown>): object {
  const { id: runId, workflow } = run
  const common = { runId, workflow, status: outcome.kind }
  switch (outcome.kind) {
    case 'done':
      return { ...common, output: outcome.output }
    case 'failed':
      return { ...common, error: describeError(outcome.error) }
    case 'ended':
      return { ...common, signal: outcome.signal }
    case 'waiting':
      return { ...common, requests: outcome.requests, explanation: outcome.explanation }
    default:
      throw new TypeError(`unknown outcome ${String(outcome satisfies never)}`)
  }
}

function tell({ run, outcome }: TerminalRun<unknown>, terminal: Terminal): void {
  const { out, err, style } = terminal
  switch (outcome.kind) {
    case 'done':
      out.write(`${style('green', 'done')}\n`)
      if (outcome.output !== undefined) out.write(`${JSON.stringify(toTagged(outcome.output), null, 2)}\n`)
      return
    case 'failed':
      writeError(outcome.error, terminal)
      return
    case 'ended':
      err.write(`run ${run.id} was stopped by ${outcome.signal}\n`)
      return
    case 'waiting':
      err.write(`run ${run.id} cannot go on by itself and ends here; ${whatHelps(outcome.requests)}\n`)
      err.write(`${outcome.explanation}\n`)
      return
    default:
      throw new TypeError(`unknown outcome ${String(outcome satisfies never)}`)
  }
}

const whatHelps = (requests: readonly OpenRequest[]): string =>
  requests.length > 0
    ? 'run it in a terminal to answer what it asks'
    : 'what it waits for comes from outside: an entry or an event'
