// Two agents finish a run: a critic in this process, and a poet in another one, which has nothing but MCP.
import { createRuntime, defineContext, entry } from 'callboard'
import { openMcp } from 'callboard/mcp'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { toNodeHandler } from '@modelcontextprotocol/node'
import type { NodeIncomingMessageLike } from '@modelcontextprotocol/node'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

const Verdict = z.object({ of: z.number(), good: z.boolean(), because: z.string() })

const board = defineContext({
  subject: entry(z.string()),
  // Written by an agent that works elsewhere: whoever waits for it is not deadlocked.
  poem: entry(z.string(), { merge: 'replace', outside: true }),
  verdict: entry(Verdict, { merge: 'replace' }),
  'critic.mood': entry(z.string()),
})

/** Only its rights count here: what it does, it does in the other process. */
const poet = board.agent({ role: 'poet', reads: ['subject', 'verdict'], writes: ['poem'], run: async () => {} })

const critic = board.agent({
  role: 'critic',
  reads: ['poem'],
  writes: ['verdict', 'critic.mood'],
  async run({ waitFor, view, update }) {
    await update({ 'critic.mood': 'strict' })
    for (let of = 1; ; of++) {
      const poem = await waitFor('poem', { since: of - 1, timeoutMs: 60_000 })
      const good = poem.includes('tide')
      const because = good ? 'it moves' : 'nothing moves in it'
      await update({ verdict: { of: view.entry('poem')?.version ?? of, good, because } })
      if (good) return
    }
  },
})

const poetry = board.workflow({ input: z.string(), output: z.string(), agents: { poet, critic } }).createMachine({
  id: 'poetry',
  initial: 'writing',
  entry: board.write({ subject: ({ context }) => context.input }),
  states: { writing: { invoke: { src: 'critic', onDone: 'printed' } }, printed: { type: 'final' } },
  output: ({ context }) => context.board.get('poem') ?? '',
})

const [, file = fileURLToPath(import.meta.url), url] = process.argv
await (url === undefined ? host() : write(url))

async function host(): Promise<void> {
  await using runtime = await createRuntime()
  // Whoever comes in by this door is the poet: it sees the poet's view and writes with the poet's rights.
  await using door = await openMcp({ runtime, workflows: [poetry], caller: { kind: 'agent', type: 'poet' } })
  const handle = toNodeHandler(door)
  const server = createServer((request, response) => void handle(request as NodeIncomingMessageLike, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  const run = await runtime.start(poetry, { input: 'the sea' })
  const { port } = server.address() as AddressInfo
  const child = spawn(process.execPath, [file, `http://127.0.0.1:${port}/mcp`], { stdio: 'inherit' })
  await once(child, 'exit')
  console.log(`printed: ${await run.done}`)
  console.log(`by ${run.entry('poem')?.updatedBy}, version ${run.entry('poem')?.version}`)
  server.closeAllConnections()
  server.close()
}

/** The poet: a loop over tools, as a model would drive it. */
async function write(door: string): Promise<void> {
  const poems = ['The sea is blue.', 'The tide takes my line.']
  const client = new Client({ name: 'poet', version: '1' }, { versionNegotiation: { mode: 'auto' } })
  await client.connect(new StreamableHTTPClientTransport(new URL(door)))
  const use = async (name: string, args: Record<string, unknown>): Promise<Record<string, unknown>> =>
    (await client.callTool({ name, arguments: args })).structuredContent as Record<string, unknown>

  const { runs } = (await use('list_runs', { status: 'active' })) as { runs: { runId: string }[] }
  const runId = runs[0]?.runId
  const { entries } = (await use('read_entries', { runId })) as { entries: { key: string; value: unknown }[] }
  console.log(`the poet sees ${entries.map(({ key, value }) => `${key}: ${String(value)}`).join(', ')}`)
  const { message } = await use('update', { runId, writes: [{ key: 'verdict', value: 'wonderful' }] })
  console.log(`refused: ${String(message)}`)
  for (const [index, poem] of poems.entries()) {
    await use('update', { runId, writes: [{ key: 'poem', value: poem }] })
    const answer = (await use('wait_for', { runId, keys: ['verdict'], since: index })) as {
      entries: { value: z.output<typeof Verdict> }[]
    }
    const verdict = answer.entries[0]?.value
    console.log(`"${poem}" is ${verdict?.good === true ? 'good' : 'not good'}: ${String(verdict?.because)}`)
  }
  await client.close()
}
