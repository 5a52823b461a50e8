// `callboard serve` as its users run it: in a process of its own, ended by a signal.
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { beforeAll, describe, expect, it } from 'vitest'
import { call } from '../mcp/team.ts'
import { ensureBuilt } from '../support/built-package.ts'
import { secretOf } from '../support/token.ts'
import { callboard, makeFolder, start } from './world.ts'
import type { Ended, Running } from './world.ts'

beforeAll(ensureBuilt)

const DESK = `
import { defineContext, entry } from 'callboard'
import { z } from 'zod'

const board = defineContext({ notes: entry(z.array(z.string()), { merge: 'append', outside: true }) })
const writer = board.agent({ reads: ['notes'], writes: ['notes'], run: () => {} })
export const desk = board
  .workflow({ name: 'desk', agents: { writer } })
  .createMachine({ id: 'desk', initial: 'open', states: { open: { on: { stop: 'closed' } }, closed: { type: 'final' } } })
`

/** Agents at work when their process ends; the next one does not know one of the workflows. */
const WORKING = `
import { defineContext } from 'callboard'

const board = defineContext({})
const isInterrupted = process.env.INTERRUPTED === '1'
const worker = board.agent({
  reads: [],
  writes: [],
  run: () => (isInterrupted ? new Promise(() => {}) : void console.log('theirs goes on')),
})
const workflow = (name) =>
  board
    .workflow({ name, agents: { worker } })
    .createMachine({ id: name, initial: 'open', states: { open: { invoke: { src: 'worker' } } } })
export const desk = workflow('desk')
export const gone = isInterrupted ? workflow('gone') : undefined
`

/** As if the package were not installed. */
const WITHOUT_MCP = `
import { registerHooks } from 'node:module'
registerHooks({
  resolve: (name, context, next) => {
    if (!name.startsWith('@modelcontextprotocol/')) return next(name, context)
    throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })
  },
})
`

interface Served extends Running {
  readonly url: string
  /** Ends it as a system does; gives what it ended with and how long that took. */
  end(): Promise<Ended & { readonly ms: number }>
}

async function serve(
  cwd: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Served> {
  const running = start('dist/cli/main.js', ['serve', 'desk.mjs', '--port', '0', ...args], { cwd, env })
  let text = ''
  running.child.stdout.on('data', (chunk: string) => (text += chunk))
  await running.seen('documentation:')
  const url = /on (?<url>http:\S+)/.exec(text)?.groups?.['url'] ?? ''
  return {
    ...running,
    url,
    end: async () => {
      const begun = performance.now()
      running.child.kill('SIGTERM')
      return { ...(await running.ended), ms: performance.now() - begun }
    },
  }
}

const post = (url: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })

describe('callboard serve', () => {
  it('serves this machine only, says so while there is no token, and goes on after a restart where it was', async () => {
    const folder = makeFolder({ 'desk.mjs': DESK })
    const first = await serve(folder)
    expect(first.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect((await post(`${first.url}/api/runs`, { workflow: 'desk', runId: 'r1' })).status).toBe(201)
    await post(`${first.url}/api/runs/r1/updates`, { set: { notes: ['kept'] } })
    await post(`${first.url}/runs`, { objective: 'a', run_id: 't1' })
    const busy = await callboard(['serve', 'desk.mjs', '--port', '0'], folder)
    expect([busy.code, busy.stderr]).toEqual([2, expect.stringContaining('another process works on runs')])
    const { code, stdout, stderr } = await first.end()
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('there are no tokens')
    const second = await serve(folder)
    const entry = (await (await fetch(`${second.url}/api/runs/r1/entries/notes`)).json()) as object
    expect(entry).toMatchObject({ value: ['kept'], version: 1 })
    expect(await (await fetch(`${second.url}/runs/t1`)).json()).toMatchObject({ objective: 'a', _update_seq: 0 })
    expect((await second.end()).code).toBe(0)
  })

  it('does not open itself to others without a token, and to nobody without one once there is one', async () => {
    const folder = makeFolder({ 'desk.mjs': DESK })
    const refused = await callboard(['serve', 'desk.mjs', '--host', '0.0.0.0', '--port', '0'], folder)
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('has no tokens')])
    const added = await callboard(['token', 'add', 'ann', '--role', 'operator', '--json'], folder)
    const { id, token } = JSON.parse(added.stdout) as { id: string; token: string }
    const book = join(folder, '.callboard/callboard.server.db')
    expect(statSync(book).mode & 0o777).toBe(0o600)
    const served = await serve(folder)
    expect((await fetch(`${served.url}/api/runs`)).status).toBe(401)
    const authorization = `Bearer ${token}`
    const listed = (): Promise<Response> => fetch(`${served.url}/api/runs`, { headers: { authorization } })
    expect((await listed()).status).toBe(200)
    const list = await callboard(['token', 'list'], folder)
    expect(list.stdout).toMatch(new RegExp(`${id}\\s+ann\\s+operator\\s+default\\s+\\S+\\s+in force`))
    expect((await callboard(['token', 'revoke', id], folder)).code).toBe(0)
    expect((await listed()).status).toBe(401)
    expect((await callboard(['token', 'revoke', id], folder)).code).toBe(2)
    const { stdout, stderr } = await served.end()
    expect(stdout + stderr).not.toContain(token)
    for (const file of readdirSync(join(folder, '.callboard')).filter((name) => name.includes('server')))
      expect(readFileSync(join(folder, '.callboard', file)).includes(secretOf(token))).toBe(false)
  })

  it('answers MCP clients at /mcp, with the memory of the database', async () => {
    const served = await serve(makeFolder({ 'desk.mjs': DESK }))
    const client = new Client({ name: 'test', version: '1' })
    await client.connect(new StreamableHTTPClientTransport(new URL(`${served.url}/mcp`)))
    const { runId } = await call(client, 'start_run', { workflow: 'desk' })
    await call(client, 'update', { runId, writes: [{ key: 'notes', value: ['by mcp'] }] })
    const entry = (await (await fetch(`${served.url}/api/runs/${String(runId)}/entries/notes`)).json()) as object
    expect(entry).toMatchObject({ value: ['by mcp'] })
    expect(await call(client, 'search_memory', { runId, query: 'anything' })).toMatchObject({ isError: false })
    await client.close()
    expect((await served.end()).code).toBe(0)
  })

  it('says at /mcp what to install where the package for it is missing, and does everything else', async () => {
    const folder = makeFolder({ 'desk.mjs': DESK, 'without.mjs': WITHOUT_MCP })
    const served = await serve(folder, [], { NODE_OPTIONS: `--import=${join(folder, 'without.mjs')}` })
    const answered = await post(`${served.url}/mcp`, { jsonrpc: '2.0', id: 1, method: 'ping' })
    expect([answered.status, await answered.json()]).toEqual([
      501,
      expect.objectContaining({
        code: 'mcp.package-missing',
        detail: expect.stringContaining('npm i @modelcontextprotocol/server@'),
      }),
    ])
    expect((await post(`${served.url}/api/runs`, { workflow: 'desk' })).status).toBe(201)
    expect((await served.end()).code).toBe(0)
  })

  it('gives every tenant a database of its own', async () => {
    const folder = makeFolder({ 'desk.mjs': DESK })
    const tokenOf = async (tenant: string): Promise<string> =>
      (await callboard(['token', 'add', tenant, '--role', 'admin', '--tenant', tenant], folder)).stdout.trim()
    const [ours, theirs] = [await tokenOf('default'), await tokenOf('theirs')]
    expect((await callboard(['token', 'add', 'x', '--tenant', '../x'], folder)).code).toBe(2)
    const served = await serve(folder)
    const started = await post(
      `${served.url}/api/runs`,
      { workflow: 'desk', runId: 'same' },
      { authorization: `Bearer ${theirs}` },
    )
    expect(started.status).toBe(201)
    const seen = await fetch(`${served.url}/api/runs/same`, { headers: { authorization: `Bearer ${ours}` } })
    expect(seen.status).toBe(404)
    expect((await served.end()).code).toBe(0)
    expect(readdirSync(join(folder, '.callboard/callboard-tenants/theirs'))).toContain('callboard.db')
  })

  it('goes on with the runs of every tenant when it starts, whether anybody of theirs asks or not', async () => {
    const folder = makeFolder({ 'desk.mjs': WORKING })
    const { stdout } = await callboard(['token', 'add', 'ann', '--role', 'admin', '--tenant', 'theirs'], folder)
    const authorization = `Bearer ${stdout.trim()}`
    const before = await serve(folder, [], { INTERRUPTED: '1' })
    for (const workflow of ['desk', 'gone'])
      await post(`${before.url}/api/runs`, { workflow, runId: workflow }, { authorization })
    expect((await before.end()).code).toBe(0)
    // One that cannot be opened keeps the others from nothing.
    mkdirSync(join(folder, '.callboard/callboard-tenants/broken'))
    writeFileSync(join(folder, '.callboard/callboard-tenants/broken/callboard.db'), 'nothing that SQLite knows')
    const after = await serve(folder)
    await after.seen('theirs goes on')
    const { code, stderr } = await after.end()
    expect(code).toBe(0)
    expect(stderr).toMatch(/^run gone of tenant theirs is left alone: .*gone/m)
    expect(stderr).toMatch(/^tenant broken is left alone: /m)
  })

  it('reads the variables of AoS, and says at the start what is wrong with them', async () => {
    const folder = makeFolder({ 'desk.mjs': DESK })
    const run = (env: Readonly<Record<string, string>>): Promise<Ended> =>
      start('dist/cli/main.js', ['serve', '--port', '0'], { cwd: folder, env }).ended
    const wrong = await run({ AOS_TEST_MODE: 'yes', QDRANT_URL: 'nowhere' })
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching(/AOS_TEST_MODE is 0 or 1; QDRANT_URL/)])
    // Port 9 of this machine is discarded: nobody answers there.
    const missing = await run({ QDRANT_URL: 'http://127.0.0.1:9' })
    expect([missing.code, missing.stdout]).toEqual([1, ''])
    const served = await serve(folder, [], { AOS_RUNS_ROOT: 'workspace' })
    await post(`${served.url}/runs`, { objective: 'a', run_id: 't1' })
    expect((await served.end()).code).toBe(0)
    expect(readdirSync(join(folder, 'workspace'))).toContain('callboard.db')
  })

  it('told to end under load, keeps every write it has acknowledged, and ends within 5 s', async () => {
    const folder = makeFolder({ 'desk.mjs': DESK })
    const served = await serve(folder)
    const runs = ['r1', 'r2', 'r3', 'r4']
    for (const runId of runs) await post(`${served.url}/api/runs`, { workflow: 'desk', runId })
    const acknowledged = new Map(runs.map((runId): [string, string[]] => [runId, []]))
    const over = new AbortController()
    const write = async (runId: string, writer: number): Promise<void> => {
      for (let count = 0; !over.signal.aborted; count++) {
        const note = `${writer}-${count}`
        const answer = await post(`${served.url}/api/runs/${runId}/updates`, { set: { notes: [note] } }).catch(
          () => undefined,
        )
        if (answer === undefined || answer.status === 503) break
        const { kind } = (await answer.json()) as { kind?: string }
        if (answer.status === 200 && kind === 'accepted') acknowledged.get(runId)?.push(note)
      }
    }
    const streaming = await fetch(`${served.url}/api/stream`)
    const writing = runs.flatMap((runId) => [0, 1, 2, 3].map((writer) => write(runId, writer)))
    const total = (): number => [...acknowledged.values()].reduce((sum, notes) => sum + notes.length, 0)
    while (total() < 300) await new Promise((resolve) => setImmediate(resolve))
    const { code, ms, stderr } = await served.end()
    over.abort()
    await Promise.all(writing)
    await streaming.body?.cancel().catch(() => undefined)
    expect([code, stderr]).toEqual([0, ''])
    expect(ms).toBeLessThan(5_000)
    const again = await serve(folder)
    for (const [runId, notes] of acknowledged) {
      const { value } = (await (await fetch(`${again.url}/api/runs/${runId}/entries/notes`)).json()) as {
        value: string[]
      }
      expect(new Set(value).size).toBe(value.length)
      expect(notes.filter((note) => !value.includes(note))).toEqual([])
    }
    expect((await again.end()).code).toBe(0)
    expect((await callboard(['verify'], folder)).code).toBe(0)
  })
})
