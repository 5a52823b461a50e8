// Patches one working set from a process of its own: once for every sequence number that it is sent.
//   patches <path> <name> <run id>
import { createInterface } from 'node:readline'
import { createTasks } from 'callboard/machines/task'
import { openSqlite } from 'callboard/sqlite'
import { say } from '../../support/say.ts'

const [path = '', name = '', runId = ''] = process.argv.slice(2)
const store = await openSqlite(path, { durability: 'process', busyTimeoutMs: 30_000 })
const tasks = await createTasks({ store, snapshots: { everyRecords: 40 } })
say('ready\n')
for await (const line of createInterface(process.stdin)) {
  const set = { next_action: `${name} ${line}` }
  const patch = { _schema_version: '2.1', expected_seq: Number(line), set }
  const said = await tasks.patch(runId, patch).then(
    (result) => (result.ok ? 'applied' : result.error),
    (error: unknown) => String(error),
  )
  say(`${said}\n`)
}
await tasks.close()
await store.close()
