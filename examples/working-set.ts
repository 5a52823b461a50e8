// The working set of a task: what an agent has in mind, in 2,000 tokens. Two agents work on it at once, and neither loses
// what the other wrote; what does not fit any more is the least important; what was done stands in a ledger.
//   npx node examples/working-set.ts
import { createTasks } from 'callboard/machines/task'
import type { WorkingSet } from 'callboard/machines/task'

const tasks = await createTasks({ limits: { ws_max_tokens: 120 } }) // 2,000 unless given; store: await openSqlite('tasks.db')
const { run_id } = await tasks.create({
  objective: 'Say in one page how the harbour works',
  acceptance_criteria: ['one page', 'no words a visitor would not know'],
  run_id: 'run_harbour',
})

/** Reads, changes and writes again until nobody was faster. */
async function change(name: string, make: (ws: WorkingSet) => Partial<WorkingSet>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const ws = await tasks.get(run_id)
    if (ws === undefined) return
    const patch = { _schema_version: '2.1', expected_seq: ws._update_seq, set: make(ws) }
    const result = await tasks.patch(run_id, patch, { by: name })
    if (result.ok) return console.log(`${name} wrote ${result.new_ws._update_seq}, attempt ${attempt}`)
    console.log(`${name} was refused: ${result.error}`)
    if (result.kind !== 'lock') return
  }
}

const found = (id: string, content: string, priority: number) => ({
  id,
  content,
  priority,
  timestamp: new Date(Date.UTC(2026, 0, 1)).toISOString(),
})

await Promise.all([
  change('reader', ({ sliding_context: known }) => ({
    sliding_context: [...known, found('tide', 'Ships of more than 200 m come in two hours around high tide.', 8)],
  })),
  change('listener', ({ sliding_context: known }) => ({
    status: 'BUSY',
    sliding_context: [
      ...known,
      found(
        'gossip',
        'The pilot likes his coffee black, and the cat of the harbour office, which is grey and old and called Admiral, sleeps on the charts.',
        1,
      ),
    ],
  })),
])
await change('reader', ({ sliding_context: known }) => ({
  pinned_context: [{ id: 'style', content: 'Short sentences, no passive voice.' }],
  sliding_context: [
    ...known,
    found('pilots', 'A pilot goes on board at the outer buoy and stays until the ship is moored.', 7),
  ],
}))
await change('listener', () => ({ constraints: ['do not '.repeat(80)] }))

console.log(await tasks.brief(run_id, [{ content: 'visitors ask for opening hours first', confidence: 0.91 }]))
console.log('the ledger:')
for (const line of (await tasks.ledger(run_id)).trimEnd().split('\n')) {
  const { sequence_id, event_type, writer_id, payload } = JSON.parse(line)
  console.log(
    `  ${sequence_id} ${event_type} by ${writer_id} ${payload.error ?? ''}${payload.evicted?.length ? `(${payload.evicted} made room)` : ''}`,
  )
}
await tasks.close()
