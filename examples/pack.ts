// A run that moves: it begins on a laptop, is packed while it waits for a person, and goes on on a server from the same
// point. The step that was done is not done again; what was edited on the way is not believed.
//   npx node examples/pack.ts
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRuntime, defineContext, entry, isCallboardError } from 'callboard'
import { packRun, savePack, unpackRun } from 'callboard/pack'
import { openSqlite } from 'callboard/sqlite'
import { z } from 'zod'

const board = defineContext({
  draft: entry(z.string()),
  approval: entry(z.enum(['yes', 'no'])),
})
const writer = board.agent({
  reads: ['approval'],
  writes: ['draft'],
  async run({ step, ask, update }) {
    const draft = await step('write', () => {
      console.log('  writing, which takes long and costs money')
      return 'Dear Ann, the harbour is mapped.'
    })
    await update({ draft })
    return (await ask('approval', { question: 'Send it?' })) === 'yes'
  },
})
const letter = board.workflow({ name: 'letter', agents: { writer } }).createMachine({
  id: 'letter',
  initial: 'writing',
  states: {
    writing: { invoke: { src: 'writer', onDone: [{ guard: ({ event }) => event.output, target: 'sent' }, 'kept'] } },
    sent: { type: 'final' },
    kept: { type: 'final' },
  },
})

const folder = await mkdtemp(join(tmpdir(), 'callboard-pack-'))

console.log('on the laptop')
const laptop = await openSqlite(join(folder, 'laptop.db'))
const there = await createRuntime({ store: laptop, workflows: [letter] })
const begun = await there.start(letter, { runId: 'letter-1' })
await new Promise<void>((asked) => there.on('request', () => asked()))
const pack = await packRun(laptop, begun.id)
const file = await savePack(pack, { folder, at: there.now })
console.log(`  packed ${pack.manifest.pointers.run_id}: ${Object.keys(pack.manifest.files).join(', ')}`)
const again = await packRun(laptop, begun.id)
console.log('  the same bytes when it is packed again:', Buffer.from(again.bytes).equals(pack.bytes))
await there.close()
await laptop.close()

console.log('on the server')
const server = await openSqlite(join(folder, 'server.db'))
const edited = await readFile(file)
edited[edited.length >> 1] = (edited[edited.length >> 1] ?? 0) ^ 1
await writeFile(join(folder, 'edited.zip'), edited)
await unpackRun(server, join(folder, 'edited.zip')).catch((error: unknown) => {
  if (!isCallboardError(error)) throw error
  console.log(`  an edited pack is refused: ${error.code}`)
})
console.log(`  and leaves ${(await server.list()).length} runs`)

const { runId } = await unpackRun(server, file, { runId: 'letter-2', from: 'the laptop' })
const here = await createRuntime({ store: server, workflows: [letter] })
const { runs } = await here.recover()
const run = runs.find(({ id }) => id === runId)
if (run === undefined) throw new Error('it is not there')
console.log(`  ${run.id} has "${String(run.get('draft'))}"`)
if (run.requests().length === 0) await new Promise<void>((asked) => here.on('request', () => asked()))
const [request] = run.requests()
if (request === undefined) throw new Error('nobody was asked')
console.log(`  asked: ${request.question} (${request.id})`)
await run.answer(request.id, 'yes')
await run.done
console.log(`  the letter is ${String(run.state)}`)
const [origin] = (await run.ledger()).filter(({ kind }) => kind === 'unpack')
console.log(`  it came out of ${JSON.stringify((origin?.asked as { readonly from: string } | undefined)?.from)}`)
await here.close()
await server.close()
await rm(folder, { recursive: true })
