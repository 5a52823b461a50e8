// A workflow of which one agent works here and one elsewhere: the writer waits for the plan of a planner.
import { createRuntime, defineContext, entry, put } from 'callboard'
import type { Run, Runtime } from 'callboard'
import { openMcp } from 'callboard/mcp'
import type { McpCaller, McpDoor, McpOptions } from 'callboard/mcp'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { onTestFinished } from 'vitest'
import { z } from 'zod'
import { listen } from './listen.ts'

const board = defineContext({
  'task.question': entry(z.string(), { outside: true }),
  'plan.steps': entry(z.array(z.string()), { outside: true }),
  'plan.budget': entry(z.number(), { outside: true }),
  'draft.text': entry(z.string()),
  'board.minutes': entry(z.string(), { outside: true }),
  'planner.notes': entry(z.string(), { scope: 'private', outside: true }),
  'credentials.registry': entry(z.string(), { sensitive: true, outside: true }),
})

const planner = board.agent({
  role: 'planner',
  reads: ['task.*', 'plan.*', 'planner.*', 'credentials.*'],
  writes: ['plan.*', 'planner.*'],
  run: async () => {},
})

const writer = board.agent({
  role: 'writer',
  reads: ['plan.*'],
  writes: ['draft.*'],
  async run({ waitFor, update }) {
    const steps = await waitFor('plan.steps', { timeoutMs: 60_000 })
    await update({ 'draft.text': steps.join(', then ') })
  },
})

export const teamwork = board
  .workflow({ output: z.string(), agents: { planner, writer }, events: { 'go on': z.object({ why: z.string() }) } })
  .createMachine({
    id: 'teamwork',
    initial: 'writing',
    states: {
      writing: { invoke: { src: 'writer', onDone: 'deciding' } },
      deciding: { on: { 'go on': 'finished' } },
      finished: { type: 'final' },
    },
    output: ({ context }) => context.board.get('draft.text') ?? 'nothing',
  })

/** A workflow that knows no planner. */
const alone = board.workflow({ agents: { writer } }).createMachine({ id: 'alone', initial: 'on', states: { on: {} } })

export const PLANNER: McpCaller = { kind: 'agent', type: 'planner' }

export interface Team {
  readonly runtime: Runtime
  readonly door: McpDoor
  readonly run: Run
  /** A run of a workflow the planner has nothing to do with. */
  readonly other: Run
  /** A client of the current protocol, or of the one with sessions. */
  connect(caller?: McpCaller, protocol?: 'current' | 'sessions'): Promise<Client>
  readonly url: string
}

/** A run with a question, on a door that takes its callers from a header; gone after the test. */
export async function gather(options: Partial<McpOptions> = {}): Promise<Team> {
  const runtime = await createRuntime({ workflows: [teamwork, alone] })
  const door = await openMcp({ runtime, workflows: [teamwork, alone], ...options })
  const listening = await listen(door, ({ headers }) => {
    const caller = headers.get('x-caller')
    return caller === null ? undefined : (JSON.parse(caller) as McpCaller)
  })
  const clients: Client[] = []
  onTestFinished(async () => {
    for (const client of clients) await client.close()
    await door.close()
    await listening.close()
    await runtime.close()
  })
  const run = await runtime.start(teamwork)
  await run.update({
    'task.question': 'how?',
    'board.minutes': 'not for agents',
    'credentials.registry': put('s3cret-value'),
  })
  const other = await runtime.start(alone)
  return {
    runtime,
    door,
    run: run as unknown as Run,
    other: other as unknown as Run,
    url: listening.url,
    connect: async (caller, protocol = 'current') => {
      const client = new Client(
        { name: 'test', version: '1' },
        { versionNegotiation: { mode: protocol === 'current' ? { pin: '2026-07-28' } : 'legacy' } },
      )
      const headers: Record<string, string> = caller === undefined ? {} : { 'x-caller': JSON.stringify(caller) }
      await client.connect(new StreamableHTTPClientTransport(new URL(listening.url), { requestInit: { headers } }))
      clients.push(client)
      return client
    },
  }
}

/** What a tool answered, as data. */
export async function call(
  client: Client,
  name: string,
  args: Readonly<Record<string, unknown>> = {},
): Promise<Readonly<Record<string, unknown>> & { readonly isError: boolean }> {
  const { structuredContent, isError = false } = await client.callTool({ name, arguments: { ...args } })
  return { ...(structuredContent as Record<string, unknown>), isError }
}

/** How a client is told of what is not there for it. */
export const NOT_THERE = /there is no|not found/i

/** What a resource holds. */
export async function read(client: Client, uri: string): Promise<string> {
  const { contents } = await client.readResource({ uri })
  const [content] = contents
  return content !== undefined && 'text' in content ? content.text : ''
}
