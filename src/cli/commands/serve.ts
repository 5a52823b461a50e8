import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import type { AnyStateMachine } from 'xstate'
import { CallboardError } from '../../base/index.ts'
import { DEFAULT_DATABASE, keyIn } from '../database.ts'
import { EXIT } from '../exit-code.ts'
import { describeError } from '../fail.ts'
import { loadDoors } from '../load-doors.ts'
import type { Doors } from '../load-doors.ts'
import { openHouse } from '../open-house.ts'
import type { OpenedHouse } from '../open-house.ts'
import { Tenants } from '../open-tenants.ts'
import { readServerSettings } from '../server-settings.ts'
import { bookFile } from '../server-files.ts'
import type { Terminal } from '../terminal.ts'

interface ServeOptions {
  readonly db?: string
  readonly port: number
  readonly host: string
  readonly name: readonly string[]
  readonly origin: readonly string[]
}

const DEFAULT_PORT = 8_000
const HIGHEST_PORT = 65_535

/** `callboard serve [modules…]`: the HTTP API of a database's runs. */
export function serveCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('serve')
    .description('serve the runs of a database over HTTP, and go on with those that have not ended')
    .argument('[modules...]', 'modules of the workflows that can be started')
    .option('--db <file>', `the database (default: "${DEFAULT_DATABASE}", or callboard.db in AOS_RUNS_ROOT)`)
    .option('--port <port>', 'where to listen; 0 for a free port', readPort, DEFAULT_PORT)
    .option('--host <address>', 'the address to listen on; others than this machine need tokens', '127.0.0.1')
    .option('--name <name>', 'a name the server is reached by, beside the address', collect, [])
    .option('--origin <origin>', 'an origin whose pages may use it: https://example.org', collect, [])
    .addHelpText('after', '\nexit codes: 0 ended by a signal, 2 not usable')
    .action(async (modules: readonly string[], options: ServeOptions) => {
      const settings = readServerSettings(terminal.env)
      const root = settings.runsRoot
      const db = options.db ?? (root === undefined ? DEFAULT_DATABASE : join(root, 'callboard.db'))
      const { promise: signalled, resolve: stop } = Promise.withResolvers<unknown>()
      const off = terminal.onSignal(stop)
      try {
        const doors = await loadDoors(modules, terminal)
        await serve({ ...options, db }, { terminal, doors, settings, signalled })
      } finally {
        off()
      }
      end(EXIT.success)
    })
}

interface Surroundings {
  readonly terminal: Terminal
  readonly doors: Doors & { readonly workflows: readonly AnyStateMachine[] }
  readonly settings: ReturnType<typeof readServerSettings>
  readonly signalled: Promise<unknown>
}

async function serve(
  { db, port, host, name, origin }: ServeOptions & { readonly db: string },
  { terminal, doors, settings, signalled }: Surroundings,
): Promise<void> {
  // Commands that have nothing to do with a server do not load one.
  const { openBook, openServer } = await import('../../server/index.ts')
  const open = (file: string): Promise<OpenedHouse> => openHouse(file, { terminal, doors, settings })
  const tenants = new Tenants({ terminal, db, open })
  try {
    const own = await tenants.openDefault()
    await tenants.openAll()
    using book = openBook(bookFile(db, terminal.cwd), { key: keyIn(terminal) })
    await using server = await openServer({
      ...own,
      book,
      port,
      host,
      hosts: name,
      origins: origin,
      testMode: settings.testMode,
      openTenant: (tenant) => tenants.find(tenant),
      onFailure: (error, requestId) => void terminal.err.write(`${requestId}: ${describeError(error).message}\n`),
    })
    terminal.out.write(`callboard serves ${db} on ${server.url} (documentation: ${server.url}/docs)\n`)
    if (!book.hasTokens) {
      terminal.out.write('there are no tokens: whoever reaches it may do everything; only this machine does\n')
    }
    await signalled
  } finally {
    await tenants.close()
  }
}

function readPort(text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port <= HIGHEST_PORT) return port
  throw new InvalidArgumentError('Give a whole number from 0 to 65535.')
}

const collect = (text: string, known: readonly string[]): readonly string[] => {
  if (text === '') throw new CallboardError('cli.input', 'an empty name means nothing; leave it out', {})
  return [...known, text]
}
