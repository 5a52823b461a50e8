// One of two machines: `pack <db> <zip> <witness>` begins a run and packs it while it waits; `finish <db> <zip> <witness>`
// unpacks it into a store of its own and goes on until it is done.
import { appendFileSync, writeFileSync } from 'node:fs'
import { createRuntime, defineContext, entry } from 'callboard'
import { packRun, unpackRun } from 'callboard/pack'
import { openSqlite } from 'callboard/sqlite'
import { z } from 'zod'

const [what, db, zip, witness] = process.argv.slice(2) as [string, string, string, string]
const say = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

const board = defineContext({
  draft: entry(z.string()),
  review: entry(z.string(), { outside: true }),
  approval: entry(z.enum(['yes', 'no']), { outside: true }),
  late: entry(z.boolean()),
  letter: entry(z.string()),
})
const writer = board.agent({
  reads: ['review', 'approval'],
  writes: ['draft'],
  async run({ step, waitFor, ask, update }) {
    const text = await step('write', () => {
      appendFileSync(witness, `written in process ${what}\n`)
      return 'a draft'
    })
    await update({ draft: text })
    const review = await waitFor('review', { timeoutMs: 60_000 })
    return `${text}, ${review}, ${await ask('approval', { question: 'send it?' })}`
  },
})
const paper = board.workflow({ name: 'paper', agents: { writer } }).createMachine({
  id: 'paper',
  initial: 'writing',
  states: {
    writing: {
      invoke: {
        src: 'writer',
        onDone: { target: 'sent', actions: board.write({ letter: ({ event }) => String(event.output) }) },
      },
      after: { 200: { actions: board.write({ late: true }) } },
    },
    sent: { type: 'final' },
  },
  output: ({ context }) => ({ letter: context.board.get('letter'), late: context.board.get('late') }),
})

const store = await openSqlite(db)
const runtime = await createRuntime({ store, workflows: [paper] })
if (what === 'pack') {
  const run = await runtime.start(paper, { runId: 'paper-1' })
  await new Promise<void>((found) => runtime.on('record', ({ record }) => record.kind === 'update' && found()))
  const { bytes, manifest } = await packRun(store, run.id)
  writeFileSync(zip, bytes)
  say({ packed: manifest.pointers.run_id, state: run.state })
  // It is not asked to end well.
  process.kill(process.pid, 'SIGKILL')
} else {
  const { runId, hints } = await unpackRun(store, zip, { from: 'the other machine' })
  say({ hints })
  const isLate = new Promise<void>((found) => {
    runtime.on('record', ({ record }) => record.changes.some(({ key }) => key === 'late') && found())
  })
  const { runs } = await runtime.recover()
  const run = runs.find(({ id }) => id === runId)!
  // What was due on the way is due at once.
  await isLate
  await run.update({ review: 'well done' })
  const asked = await new Promise<string>((found) => {
    runtime.on('request', ({ request }) => found(request.id))
    for (const { id } of run.requests()) found(id)
  })
  await run.answer(asked, 'yes')
  say({ done: await run.done, asked: asked.replace(runId, '<run>') })
  const { damage } = await store.verify()
  const origin = (await run.ledger()).find(({ kind }) => kind === 'unpack')!.asked
  say({ damage, origin })
  await runtime.close()
  await store.close()
}
