// Question: what do the doors cost? A request to the server beside one to a bare Hono app that does one SQLite insert or
// read, in the same process, over loopback, by the same load: node:http with as many kept-alive connections.
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { createRuntime, defineContext, entry } from 'callboard'
import { openBook, openServer } from 'callboard/server'
import { openSqlite } from 'callboard/sqlite'
import { z } from 'zod'
import { elapsedOf, measure } from './harness.ts'
import type { Contender } from './harness.ts'
import { lineOf } from './report.ts'
import type { Question } from './report.ts'

const CONNECTIONS = 32
const REQUESTS = 200
const ROUNDS = { rounds: 11, warmups: 3 }
/** At least half as many requests per second. */
const MOST = { limit: { kind: 'times', most: 2 } } as const

const BARE_INSERT = 'bare Hono, one INSERT forced to disk'
const BARE_READ = 'bare Hono, one SELECT'
const UPDATE = 'PUT /api/runs/{runId}/entries/{key}'
const READ = 'GET /api/runs/{runId}/entries/{key}'
const VIEW = 'GET /api/runs/{runId}/views/{agent}, one entry'

const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })

const value = (n: number): object => ({ title: `task ${n}`, done: false, notes: 'x'.repeat(100), n })

export const httpQuestion: Question = {
  name: 'http',
  async answer() {
    const folder = mkdtempSync(join(tmpdir(), 'callboard-bench-'))
    const bare = openBare(join(folder, 'bare.db'))
    const own = await openOwn(folder)
    try {
      const { url } = own
      const timings = await measure(
        [
          load(BARE_INSERT, { method: 'POST', url: `${bare.url}/value`, body: value }),
          load(UPDATE, { method: 'PUT', url: `${url}/api/runs/r1/entries/plan`, body: (n) => ({ value: value(n) }) }),
          load(BARE_READ, { method: 'GET', url: `${bare.url}/value` }),
          load(READ, { method: 'GET', url: `${url}/api/runs/r1/entries/plan` }),
          load(VIEW, { method: 'GET', url: `${url}/api/runs/r1/views/reader` }),
        ],
        ROUNDS,
      )
      return [
        {
          title: 'A request over HTTP',
          operation: `one request of ${REQUESTS} over ${CONNECTIONS} kept-alive connections of loopback, in time that has passed; server and load share a process.`,
          lines: [
            lineOf(timings, BARE_INSERT),
            lineOf(timings, UPDATE, { baseline: BARE_INSERT, ...MOST }),
            lineOf(timings, BARE_READ),
            lineOf(timings, READ, { baseline: BARE_READ, ...MOST }),
            lineOf(timings, VIEW, { baseline: BARE_READ, ...MOST }),
          ],
          notMeasured:
            'tokens, idempotency keys, streams, other machines. The bare app checks nothing: no host, role, schema or ' +
            'limit; its insert keeps no version, hash or audit record.',
        },
      ]
    } finally {
      agent.destroy()
      await own.close()
      bare.close()
      rmSync(folder, { recursive: true })
    }
  },
}

function openBare(file: string): { readonly url: string; close(): void } {
  const db = new DatabaseSync(file)
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE log (id INTEGER PRIMARY KEY, value TEXT)')
  const insert = db.prepare('INSERT INTO log (value) VALUES (?)')
  const select = db.prepare('SELECT * FROM log WHERE id = 1')
  insert.run(JSON.stringify(value(0)))
  const app = new Hono()
  app.post('/value', async (c) =>
    c.json({ id: Number(insert.run(JSON.stringify(await c.req.json())).lastInsertRowid) }),
  )
  app.get('/value', (c) => c.json({ ...select.get() }))
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1', overrideGlobalObjects: false })
  return {
    get url() {
      const address = server.address()
      return `http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`
    },
    close() {
      server.close()
      db.close()
    },
  }
}

async function openOwn(folder: string): Promise<{ readonly url: string; close(): Promise<void> }> {
  const board = defineContext({ plan: entry(z.looseObject({}), { merge: 'replace' }) })
  const reader = board.agent({ reads: ['plan'], run: () => {} })
  const desk = board
    .workflow({ name: 'desk', agents: { reader } })
    .createMachine({ initial: 'open', states: { open: { on: { stop: 'closed' } }, closed: { type: 'final' } } })
  const store = await openSqlite(join(folder, 'own.db'))
  const runtime = await createRuntime({ store, workflows: [desk] })
  const book = openBook(join(folder, 'book.db'))
  const server = await openServer({ runtime, workflows: [desk], port: 0, book })
  const run = await runtime.start(desk, { runId: 'r1' })
  await run.update({ plan: { ...value(0) } })
  return {
    url: server.url,
    async close() {
      await server.close()
      await runtime.close()
      await store.close()
      book.close()
    },
  }
}

interface Load {
  readonly method: string
  readonly url: string
  readonly body?: (n: number) => object
}

function load(name: string, { method, url, body }: Load): Contender {
  let sent = 0
  const worker = async (until: number): Promise<void> => {
    while (sent < until) {
      sent += 1
      await send(method, url, body === undefined ? undefined : JSON.stringify(body(sent)))
    }
  }
  return {
    name,
    operations: REQUESTS,
    run: async (operations) => {
      const until = sent + operations
      const all = async (): Promise<void> => {
        await Promise.all(Array.from({ length: CONNECTIONS }, () => worker(until)))
      }
      return (await elapsedOf(all)) / operations
    },
  }
}

function send(method: string, url: string, body: string | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers =
      body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const sent = request(url, { method, agent, headers }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${method} ${url} answered ${response.statusCode}`))
      response.resume().on('end', resolve)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
