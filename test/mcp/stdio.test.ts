// `callboard mcp`: the built command as an MCP client runs it, over standard input and output.
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemory, openSqliteMemory } from 'callboard/memory'
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { makeFolder, start } from '../cli/world.ts'
import { ensureBuilt, ROOT } from '../support/built-package.ts'
import { call } from './team.ts'

beforeAll(ensureBuilt)

const TEAM = `
import { defineContext, entry } from 'callboard'
import { z } from 'zod'
const board = defineContext({
  plan: entry(z.string(), { outside: true }),
  draft: entry(z.string()),
  secret: entry(z.string(), { outside: true }),
})
const planner = board.agent({ reads: ['plan', 'draft'], writes: ['plan'], run: async () => {} })
const writer = board.agent({
  reads: ['plan'],
  writes: ['draft'],
  run: async ({ waitFor, update }) => void (await update({ draft: 'made of ' + (await waitFor('plan', { timeoutMs: 60_000 })) })),
})
export const team = board.workflow({ agents: { planner, writer } }).createMachine({
  id: 'team',
  initial: 'writing',
  states: { writing: { invoke: { src: 'writer', onDone: 'done' } }, done: { type: 'final' } },
})
`

const BEGIN = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
})

async function connect(
  cwd: string,
  args: readonly string[],
  protocol: 'current' | 'sessions' = 'current',
  main: string = join(ROOT, 'dist/cli/main.js'),
): Promise<Client> {
  const mode = protocol === 'current' ? ({ pin: '2026-07-28' } as const) : ('legacy' as const)
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } })
  await client.connect(new StdioClientTransport({ command: process.execPath, args: [main, 'mcp', ...args], cwd }))
  onTestFinished(() => client.close())
  return client
}

/** Callboard in a folder of its own, with what it depends on but without some packages. */
function installWithout(left: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'callboard-elsewhere-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true })
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'))
  mkdirSync(join(folder, 'node_modules'))
  const names = readdirSync(join(ROOT, 'node_modules')).filter((name) => !left.includes(name))
  for (const name of names) symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name))
  return folder
}

/** What it says on its way out. */
function runToEnd(main: string, cwd: string): string {
  return spawnSync(process.execPath, [main, 'mcp', 'team.ts'], { cwd, encoding: 'utf8', input: '' }).stderr
}

describe('callboard mcp', () => {
  it.each(['current', 'sessions'] as const)(
    'starts a run and goes on with it for the next client (%s)',
    async (protocol) => {
      const folder = makeFolder({ 'team.ts': TEAM })
      const operator = await connect(folder, ['team.ts'], protocol)
      const { runId } = await call(operator, 'start_run', { workflow: 'team' })
      await call(operator, 'update', { runId, writes: [{ key: 'secret', value: 'not for agents' }] })
      await operator.close()

      const planner = await connect(folder, ['team.ts', '--as', 'planner'], protocol)
      const { runs } = await call(planner, 'list_runs')
      await call(planner, 'update', { runId, writes: [{ key: 'plan', value: 'ideas' }] })
      const drafted = await call(planner, 'wait_for', { runId, keys: ['draft'] })
      const seen = await call(planner, 'read_entries', { runId })

      expect(runs).toEqual([expect.objectContaining({ runId, status: 'active' })])
      expect(drafted['entries']).toEqual([expect.objectContaining({ value: 'made of ideas', owner: 'writer' })])
      expect((seen['entries'] as readonly { key: string }[]).map(({ key }) => key).toSorted()).toEqual([
        'draft',
        'plan',
      ])
    },
  )

  it('works on a database alone: a second one, and a server, are told so', async () => {
    const folder = makeFolder({ 'team.ts': TEAM })
    const first = await connect(folder, ['team.ts'])
    const { runId } = await call(first, 'start_run', { workflow: 'team' })

    for (const args of [
      ['mcp', 'team.ts'],
      ['serve', 'team.ts', '--port', '0'],
    ]) {
      const { code, stderr } = await start('dist/cli/main.js', args, { cwd: folder }).ended
      expect([code, stderr]).toEqual([2, expect.stringContaining('another process works on runs')])
    }

    expect(await call(first, 'show_run', { runId })).toMatchObject({ status: 'active' })
  })

  it('finds the SDK where only the project has installed it, as with npx or a global installation', async () => {
    const folder = makeFolder({ 'team.ts': TEAM })
    const elsewhere = installWithout(['@modelcontextprotocol', 'ai', '@ai-sdk'])
    rmSync(join(folder, 'node_modules/callboard'))
    symlinkSync(elsewhere, join(folder, 'node_modules/callboard'))
    const main = join(elsewhere, 'dist/cli/main.js')
    const missing = runToEnd(main, folder)
    symlinkSync(join(ROOT, 'node_modules/@modelcontextprotocol'), join(folder, 'node_modules/@modelcontextprotocol'))

    const client = await connect(folder, ['team.ts'], 'current', main)

    expect(missing).toContain('npm i @modelcontextprotocol/server@2.4.0')
    expect(await call(client, 'start_run', { workflow: 'team' })).toMatchObject({ status: 'active' })
  })

  it('searches what is remembered in the database, whoever remembered it', async () => {
    const folder = makeFolder({ 'team.ts': TEAM })
    mkdirSync(join(folder, '.callboard'))
    const store = await openSqliteMemory(join(folder, '.callboard/callboard.memory.db'))
    const memory = await createMemory({ store })
    const change = { op: 'add', kind: 'semantic', type: 'fact', text: 'boil the kettle first', scope: 'global' }
    await memory.for({ runId: 'elsewhere' }).remember([change as never])
    await store.close()

    const client = await connect(folder, ['team.ts'])
    const { runId } = await call(client, 'start_run', { workflow: 'team' })
    const found = await call(client, 'search_memory', { runId, query: 'kettle' })

    expect(JSON.stringify(found)).toContain('boil the kettle first')
  })

  it('offers a reader nothing that changes anything', async () => {
    const client = await connect(makeFolder({ 'team.ts': TEAM }), ['team.ts', '--read-only'])

    const { tools } = await client.listTools()

    expect(tools.map(({ name }) => name)).toContain('list_runs')
    expect(tools.every(({ annotations }) => annotations?.readOnlyHint === true)).toBe(true)
  })

  it('says what is wrong with how it is called, and writes nothing to the standard output', async () => {
    const cwd = makeFolder({ 'team.ts': TEAM })
    const ended = (args: readonly string[]): Promise<unknown> =>
      start('dist/cli/main.js', ['mcp', ...args], { cwd }).ended

    expect(await ended(['team.ts', '--as', 'cook'])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: 'error: no workflow here has an agent of type "cook"; there are planner, writer\n',
    })
    expect(await ended(['--id', 'p2'])).toMatchObject({ code: 2, stdout: '' })
    expect(await ended(['team.ts', '--as', 'planner', '--read-only'])).toMatchObject({ code: 2, stdout: '' })
  })

  it.each(['current', 'sessions'] as const)(
    'ends a wait at once that its client calls off, and nothing is said of it (%s)',
    async (protocol) => {
      const client = await connect(makeFolder({ 'team.ts': TEAM }), ['team.ts'], protocol)
      const { runId } = await call(client, 'start_run', { workflow: 'team' })
      const waitsOf = async (): Promise<number> => {
        const { explanation } = await call(client, 'show_run', { runId })
        const { waits } = explanation as { readonly waits: readonly { readonly waiter: string }[] }
        return waits.filter(({ waiter }) => waiter === 'outside').length
      }
      const over = new AbortController()
      const waiting = { name: 'wait_for', arguments: { runId, keys: ['secret'], timeoutMs: 55_000 } }
      const waited = client.callTool(waiting, { signal: over.signal }).catch((error: unknown) => error)
      await vi.waitUntil(async () => (await waitsOf()) === 1)

      over.abort(new Error('never mind'))
      await vi.waitUntil(async () => (await waitsOf()) === 0)

      expect(await waited).toBeInstanceOf(Error)
    },
  )

  it('logs once what is no message, without what was sent, and goes on', async () => {
    const { child, ended, seen } = start('dist/cli/main.js', ['mcp', 'team.ts'], {
      cwd: makeFolder({ 'team.ts': TEAM }),
      input: [
        BEGIN,
        '{"secret":"opensesame"}',
        JSON.stringify({ jsonrpc: '2.0', id: 5, result: { secret: 'opensesame' } }),
        JSON.stringify({ jsonrpc: '2.0', id: 6, method: 'tools/list' }),
      ],
    })
    await seen('"id":6')
    child.kill('SIGTERM')
    const { stderr } = await ended

    expect(stderr).toMatch(/^(mcp: a client did not keep to the protocol[^\n]+\n){2}$/)
    expect(stderr).not.toContain('opensesame')
  })

  it('ends when its client has gone', async () => {
    const cwd = makeFolder({ 'team.ts': TEAM })

    // Its standard input is at its end from the beginning.
    expect(await start('dist/cli/main.js', ['mcp', 'team.ts'], { cwd }).ended).toMatchObject({ code: 0, stdout: '' })
  })
})
