import { Command, InvalidArgumentError, Option } from 'commander'
import { CallboardError } from '../../base/index.ts'
import type { AgentIdentity, Role, ServerBook, StoredToken } from '../../server/index.ts'
import { databaseOption } from '../database.ts'
import { EXIT } from '../exit-code.ts'
import { writeJson } from '../look.ts'
import { assertTenant, bookFile } from '../server-files.ts'
import { instant, table } from '../table.ts'
import type { Terminal } from '../terminal.ts'

interface AddOptions {
  readonly db: string
  readonly role: Role
  readonly agent?: AgentIdentity
  readonly tenant: string
  readonly expires?: number
  readonly json?: boolean
}

interface ListOptions {
  readonly db: string
  readonly json?: boolean
}

const ROLE_NAMES: readonly Role[] = ['reader', 'agent', 'operator', 'admin']
const DAY_MS = 86_400_000

/** `callboard token add|list|revoke`: who may use `callboard serve`. */
export function tokenCommand(terminal: Terminal, end: (code: number) => void): Command {
  const command = new Command('token').description('say who may use the server: add, list, revoke')
  command.addCommand(addCommand(terminal, end))
  command.addCommand(listCommand(terminal, end))
  return command.addCommand(revokeCommand(terminal, end))
}

function addCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('add')
    .description('make a token; it is shown this once')
    .argument('<name>', 'who it is for; shown as the author of what is written with it')
    .addOption(new Option('--role <role>', 'what it may do').choices([...ROLE_NAMES]).default('reader'))
    .option('--agent <type[:id]>', 'as which agent it acts, for --role agent', readAgent)
    .option('--tenant <tenant>', 'whose runs it is for', 'default')
    .option('--expires <days>', 'after how many days it is over; never unless given', readDays)
    .addOption(databaseOption())
    .option('--json', 'write one JSON document')
    .action(async (name: string, { db, role, agent, tenant, expires, json = false }: AddOptions) => {
      if ((role === 'agent') !== (agent !== undefined)) {
        throw new CallboardError('cli.token', 'a token for an agent has --role agent and --agent <type>, both', {})
      }
      using book = await openBookOf(db, terminal)
      const at = terminal.clock.now()
      const until = expires === undefined ? {} : { expiresAt: at + expires * DAY_MS }
      const { id, text } = book.addToken({ name, role, tenant: assertTenant(tenant), agent, ...until }, at)
      if (json) writeJson(terminal, { id, token: text })
      else terminal.out.write(`${text}\n`)
      end(EXIT.success)
    })
}

function listCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('list')
    .description('list the tokens, without their secrets')
    .addOption(databaseOption())
    .option('--json', 'write one JSON document')
    .action(async ({ db, json = false }: ListOptions) => {
      using book = await openBookOf(db, terminal)
      const tokens = book.tokens()
      if (json) writeJson(terminal, tokens)
      else terminal.out.write(table([HEAD, ...tokens.map((token) => rowOf(token, terminal.clock.now()))]))
      end(EXIT.success)
    })
}

function revokeCommand(terminal: Terminal, end: (code: number) => void): Command {
  return new Command('revoke')
    .description('make a token worthless, within a second')
    .argument('<id>', 'its id, as list shows it')
    .addOption(databaseOption())
    .action(async (id: string, { db }: ListOptions) => {
      using book = await openBookOf(db, terminal)
      if (!book.revokeToken(id, terminal.clock.now())) {
        throw new CallboardError('cli.token', `there is no token "${id}" in force; callboard token list shows them`, {
          id,
        })
      }
      end(EXIT.success)
    })
}

const HEAD = ['id', 'name', 'role', 'agent', 'tenant', 'since', 'state']

function rowOf(
  { id, name, role, agent, tenant, createdAt, expiresAt, revokedAt }: StoredToken,
  now: number,
): readonly string[] {
  const isOver = expiresAt !== undefined && expiresAt <= now
  const state = revokedAt === undefined ? (isOver ? 'over' : 'in force') : 'revoked'
  return [id, name, role, agent === undefined ? '' : `${agent.type}:${agent.id}`, tenant, instant(createdAt), state]
}

/** Commands that have nothing to do with a server do not load one. */
async function openBookOf(db: string, { cwd }: Terminal): Promise<ServerBook> {
  const { openBook } = await import('../../server/index.ts')
  return openBook(bookFile(db, cwd))
}

function readAgent(text: string): AgentIdentity {
  const [type = '', id = type] = text.split(':')
  if (type !== '' && id !== '') return { type, id }
  throw new InvalidArgumentError('Give the name of its type, or type:id.')
}

function readDays(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) > 0) return Number(text)
  throw new InvalidArgumentError('Give a whole number of days.')
}
