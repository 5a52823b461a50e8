// What the server's tests share: an app over a runtime with a small workflow, working sets and memory, on a virtual clock.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { createRuntime, defineContext, entry } from 'callboard'
import type { Runtime, RuntimeOptions } from 'callboard'
import { createTasks, task } from 'callboard/machines/task'
import { createSessions, session } from 'callboard/machines/session'
import { createMemory } from 'callboard/memory'
import type { Memory } from 'callboard/memory'
import { createApp, openBook } from 'callboard/server'
import type { AppOptions, House, Role, ServerApp, ServerBook } from 'callboard/server'
import { z } from 'zod'
import { createTestClock } from '../support/clock.ts'
import type { TestClock } from '../support/clock.ts'

export const board = defineContext({
  plan: entry(z.object({ title: z.string(), pages: z.int().optional() }), { outside: true }),
  notes: entry(z.array(z.string()), { merge: 'union', outside: true }),
  secret: entry(z.string(), { sensitive: true }),
  draft: entry(z.string(), { scope: 'private', outside: true }),
  'any.*': entry(z.unknown(), { outside: true }),
  approval: entry(z.enum(['yes', 'no']), { outside: true }),
})

const writer = board.agent({ reads: ['plan', 'notes', 'draft'], writes: ['notes', 'draft'], run: () => {} })
const reviewer = board.agent({ reads: ['notes'], writes: ['notes'], run: () => {} })
const keeper = board.agent({ reads: ['secret'], writes: [], grants: { sensitive: ['secret'] }, run: () => {} })

/** Open until it is sent `stop`; asks a person when it is sent `ask`. */
export const desk = board
  .workflow({
    name: 'desk',
    input: z.object({ title: z.string().optional() }).optional(),
    agents: { writer, reviewer, keeper, person: board.person('approval', { question: 'send it?' }) },
  })
  .createMachine({
    id: 'desk',
    initial: 'open',
    states: {
      open: { on: { stop: 'closed', ask: 'asking' } },
      asking: { invoke: { src: 'person', onDone: 'open' } },
      closed: { type: 'final' },
    },
  })

export interface World {
  readonly clock: TestClock
  readonly runtime: Runtime
  readonly memory: Memory
  readonly app: ServerApp
  readonly book: ServerBook
  /** The text of a new token. */
  token(role: Role, options?: { readonly tenant?: string; readonly agent?: string; readonly name?: string }): string
  /** Sends a request and reads its answer as JSON. */
  ask(method: string, path: string, options?: AskOptions): Promise<Answered>
}

export interface AskOptions {
  readonly token?: string | undefined
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export interface Answered {
  readonly status: number
  readonly headers: Headers
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers of every shape
  readonly body: any
}

export async function createHouse(options: RuntimeOptions = {}): Promise<House & { readonly memory: Memory }> {
  const runtime = await createRuntime({ workflows: [desk, task, session], ...options })
  const memory = await createMemory(options.clock === undefined ? {} : { clock: options.clock })
  const tasks = await createTasks({ runtime })
  const sessions = await createSessions({ runtime, collectEveryMs: false })
  return { runtime, workflows: [desk], memory, tasks, sessions }
}

/** A fresh app; closed when the test is over. */
export async function createServerWorld(
  options: Partial<AppOptions> & { readonly store?: RuntimeOptions['store'] } = {},
): Promise<World> {
  const clock = createTestClock()
  const { store, ...appOptions } = options
  const book = options.book ?? openBook()
  const house = await createHouse({ clock, ...(store === undefined ? {} : { store }) })
  const packs = mkdtempSync(join(tmpdir(), 'callboard-server-test-'))
  const app = createApp({ ...house, book, clock, packs, ...appOptions })
  onTestFinished(async () => {
    rmSync(packs, { recursive: true, force: true })
    app.close()
    await house.runtime.close()
    if (options.book === undefined) book.close()
  })
  const ask: World['ask'] = (method, path, asked) => askApp(app, method, path, asked)
  const token: World['token'] = (role, { tenant = 'default', agent, name = role } = {}) =>
    book.addToken(
      { name, role, tenant, agent: agent === undefined ? undefined : { type: agent, id: agent } },
      clock.now(),
    ).text
  return { clock, runtime: house.runtime, memory: house.memory, app, book, token, ask }
}

export async function askApp(
  app: Pick<ServerApp, 'hono'>,
  method: string,
  path: string,
  { token, body, headers = {} }: AskOptions = {},
): Promise<Answered> {
  const response = await app.hono.request(`http://localhost${path}`, {
    method,
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json') ?? false
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text }
}
