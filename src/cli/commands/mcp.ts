import { Command } from 'commander'
import { CallboardError } from '../../base/index.ts'
import { openMcp } from '../../mcp/index.ts'
import type { McpCaller } from '../../mcp/index.ts'
import { databaseOption } from '../database.ts'
import { EXIT } from '../exit-code.ts'
import { describeError } from '../fail.ts'
import { loadDoors } from '../load-doors.ts'
import { openHouse } from '../open-house.ts'
import { readServerSettings } from '../server-settings.ts'
import type { Terminal } from '../terminal.ts'
import { visibleText } from '../visible-text.ts'

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
      await serve(modules, callerOf(options), options.db, terminal)
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

async function serve(modules: readonly string[], caller: McpCaller, db: string, terminal: Terminal): Promise<void> {
  // The standard output belongs to the protocol.
  const tell = (error: unknown, what: string): void =>
    void terminal.err.write(`${visibleText(what)}: ${describeError(error).message}\n`)
  const { promise: ended, resolve: stop } = Promise.withResolvers<unknown>()
  const off = terminal.onSignal(stop)
  try {
    const doors = await loadDoors(modules, terminal)
    const opened = await openHouse(db, { terminal, doors, settings: readServerSettings(terminal.env) })
    await using stack = new AsyncDisposableStack()
    stack.defer(() => opened.close())
    const { runtime, workflows, memory } = opened.house
    const door = stack.use(
      await openMcp({
        runtime,
        workflows,
        caller,
        ...(memory === undefined ? {} : { memory }),
        onFailure: (error) => tell(error, 'mcp'),
      }),
    )
    for (const { runId, error } of opened.failures) tell(error, `run ${runId} is left alone`)
    await door.serveStdio({ onClose: () => stop(undefined) })
    await ended
  } finally {
    off()
  }
}
