import { Command } from 'commander'
import type { AnyStateMachine } from 'xstate'
import { CallboardError } from '../../base/index.ts'
import { openMcp } from '../../mcp/index.ts'
import type { McpCaller } from '../../mcp/index.ts'
import { createRuntime } from '../../runtime/index.ts'
import type { Runtime } from '../../runtime/index.ts'
import { workflowOf } from '../../workflow/index.ts'
import { databaseOption, openDatabase } from '../database.ts'
import { EXIT } from '../exit-code.ts'
import { describeError } from '../fail.ts'
import { loadWorkflows } from '../load-module.ts'
import { RunLocks } from '../run-locks.ts'
import type { Terminal } from '../terminal.ts'

interface McpCommandOptions {
  readonly db: string
  readonly as?: string
  readonly id?: string
  readonly readOnly?: boolean
}

/** `callboard mcp [modules…]`: the runs of a database for one MCP client, over standard input and output. */
export function mcpCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('mcp')
    .description('serve the runs of a database to an MCP client over stdio, and go on with those that have not ended')
    .argument('[modules...]', 'modules of the workflows that can be started')
    .addOption(databaseOption())
    .option('--as <type>', 'act as an agent of this type: see its view, write with its rights')
    .option('--id <id>', "the agent's id; the name of its type unless given")
    .option('--read-only', 'offer nothing that changes anything')
    .addHelpText('after', '\nexit codes: 0 the client has gone or a signal came, 2 not usable')
    .action(async (modules: readonly string[], options: McpCommandOptions) => {
      const caller = callerOf(options)
      const loaded = await Promise.all(modules.map((module) => loadWorkflows({ module, cwd: terminal.cwd })))
      const workflows = [...new Set(loaded.flat())]
      await serve(workflows, caller, options.db, terminal)
      end(EXIT.success)
    })
}

/** @throws CallboardError `cli.input` */
function callerOf({ as, id, readOnly = false }: McpCommandOptions): McpCaller {
  if (as === undefined && id !== undefined) throw usage('--id is the id of an agent; say its type with --as')
  if (as !== undefined && readOnly) throw usage('--as and --read-only exclude each other; an agent writes what it may')
  if (as !== undefined) return { kind: 'agent', type: as, ...(id === undefined ? {} : { id }) }
  return { kind: readOnly ? 'reader' : 'operator' }
}

function usage(message: string): CallboardError {
  return new CallboardError('cli.input', message, {})
}

async function serve(
  workflows: readonly AnyStateMachine[],
  caller: McpCaller,
  db: string,
  terminal: Terminal,
): Promise<void> {
  // The standard output belongs to the protocol.
  const tell = (error: unknown, what: string): void =>
    void terminal.err.write(`${what}: ${describeError(error).message}\n`)
  const { promise: ended, resolve: stop } = Promise.withResolvers<unknown>()
  const off = terminal.onSignal(stop)
  try {
    await using database = await openDatabase(db, terminal)
    using locks = new RunLocks(database)
    await using runtime = await createRuntime({ store: database.store, workflows })
    runtime.on('end', ({ runId }) => locks.release(runId))
    runtime.on('run', ({ runId }) => {
      locks.take(runId).catch((error: unknown) => tell(error, `run ${runId}`))
    })
    const open = async (runId: string): ReturnType<Runtime['open']> => {
      await locks.take(runId)
      return runtime.open(runId)
    }
    await using door = await openMcp({ runtime, workflows, caller, open, onFailure: (error) => tell(error, 'mcp') })
    const names = new Set(workflows.map((machine) => workflowOf(machine)?.name))
    for (const { runId, workflow, parent } of await runtime.list({ status: 'active' })) {
      // A child run comes with the run that started it.
      if (parent !== undefined || !names.has(workflow)) continue
      await open(runId).catch((error: unknown) => tell(error, `run ${runId} is left alone`))
    }
    await door.serveStdio({ onClose: () => stop(undefined) })
    await ended
  } finally {
    off()
  }
}
