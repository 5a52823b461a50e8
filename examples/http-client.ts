// An agent in a process of its own. The editor works here, inside of the workflow; the researcher works elsewhere, and has
// nothing but an address and a token: it sees what a researcher may see, and writes what one may write.
import { spawn } from 'node:child_process'
import { createRuntime, defineContext, entry } from 'callboard'
import { createClient } from 'callboard/client'
import { openBook, openServer } from 'callboard/server'
import { z } from 'zod'

const board = defineContext({
  question: entry(z.string()),
  budget: entry(z.number(), { sensitive: true }),
  // Someone outside of this process writes it: waiting for it is no deadlock.
  findings: entry(z.array(z.string()), { outside: true }),
  article: entry(z.string()),
})

const researcher = board.agent({ reads: ['question', 'findings'], writes: ['findings'], run: () => {} })
const editor = board.agent({
  reads: ['question', 'findings'],
  writes: ['article'],
  run: async ({ waitFor, update, view }) => {
    const findings = await waitFor('findings')
    await update({ article: `${view.get('question')} ${findings.join(' ')}` })
  },
})

const magazine = board
  .workflow({ name: 'magazine', input: z.object({ question: z.string() }), agents: { researcher, editor } })
  .createMachine({
    id: 'magazine',
    entry: board.write({ question: ({ context }) => context.input.question, budget: 40 }),
    initial: 'writing',
    states: { writing: { invoke: { src: 'editor', onDone: 'printed' } }, printed: { type: 'final' } },
    output: ({ context }) => context.board.get('article'),
  })

/** The loop of the agent elsewhere. */
async function research(url: string, token: string, runId: string): Promise<void> {
  const run = createClient({ url, token }).run<typeof magazine>(runId)
  const question = await run.waitFor('question')
  const view = await run.view('researcher')
  console.log(`the researcher, in a process of its own, sees: ${view.keys().join(', ')}`)
  const refused = await run.tryUpdate({ article: 'I know better' })
  if (refused.kind === 'refused') console.log(`it may not write the article: ${refused.reason}`)
  await run.update({ findings: [`(${question.length} characters were asked.)`, 'They like the light.'] })
}

/** The server, the run, and somebody who watches it. */
async function publish(): Promise<void> {
  await using runtime = await createRuntime({ workflows: [magazine] })
  using book = openBook()
  await using server = await openServer({ runtime, workflows: [magazine], book, port: 0 })
  const tokenFor = (name: string, role: 'operator' | 'agent'): string =>
    book.addToken(
      { name, role, tenant: 'default', agent: role === 'agent' ? { type: name, id: name } : undefined },
      Date.now(),
    ).text
  const client = createClient({ url: server.url, token: tokenFor('Ada', 'operator') })
  const run = await client.start(magazine, { input: { question: 'Why do moths fly to lamps?' } })
  const elsewhere = spawn(
    process.execPath,
    [import.meta.filename, server.url, tokenFor('researcher', 'agent'), run.id],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  )
  for await (const { seq, author, entries } of run.changes()) {
    for (const { key, version } of entries) console.log(`${seq} ${author}: ${key} v${version}`)
  }
  console.log(await run.done())
  await new Promise((resolve) => elsewhere.on('close', resolve))
}

const [url, token, runId] = process.argv.slice(2)
await (url === undefined || token === undefined || runId === undefined ? publish() : research(url, token, runId))
