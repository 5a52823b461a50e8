// What an orchestrator knows: a durable context, read like a dictionary. Its task cannot be overwritten, a phase works on a
// picture of its own, a phase that fails leaves nothing behind, and after a restart everything is there but what was scratch.
//   npx node examples/durable-context.ts
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isCallboardError } from 'callboard'
import { openContext } from 'callboard/machines/context'
import { openSqlite } from 'callboard/sqlite'

const folder = await mkdtemp(join(tmpdir(), 'callboard-context-'))
const store = await openSqlite(join(folder, 'contexts.db'))
const context = await openContext({
  id: 'session-7',
  store,
  initial: { session_id: 'session-7', initial_task: 'compare two surveys of the sky' },
  checkpointEvery: 3,
})

await context.set('surveys', ['north', 'south'])
await context.set('scratch', 'the southern one has gaps', { ephemeral: true })
try {
  await context.set('initial_task', 'have lunch')
} catch (error) {
  if (!isCallboardError(error, 'update.refused')) throw error
  console.log(`refused: the task stays "${context.get<string>('initial_task')}"`)
}

await context.phase('planning', ({ surveys, scratch }) => {
  console.log(`planning sees ${(surveys as string[]).join(', ')} and a note: ${String(scratch)}`)
  return { plan: ['read both', 'match', 'compare'], surveys: 'a phase adds, and overwrites nothing' }
})
console.log(
  `plan: ${context.get<string[]>('plan')?.join(', ')}; the note is ${context.has('scratch') ? 'there' : 'gone'}`,
)

await context
  .phase('control', () => {
    throw new Error('the disk of the telescope is full')
  })
  .catch((error: Error) => console.log(`control failed: ${error.message}`))
await context.set('matched', new Map([['north', 1_200]]))
await context.close()

// Another process, later.
await using next = await openContext({ id: 'session-7', store })
console.log(`opened again: ${next.keys().join(', ')}; matched is a ${next.get('matched', {}).constructor.name}`)
for (const { reason, metadata } of next.snapshots()) console.log(`  ${reason} ${JSON.stringify(metadata)}`)
const before = next.snapshots().find(({ reason }) => reason === 'before_planning')
console.log(`before planning it had ${Object.keys(await next.at(before?.id ?? '')).join(', ')}`)
await next.restore(before?.id)
console.log(`put back: ${next.keys().join(', ')}; the log has ${(await next.log()).length} lines`)

await next.close()
await store.close()
await rm(folder, { recursive: true })
