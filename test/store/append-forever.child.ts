// Appends to runs of its own, several at once, and tells of every append that was acknowledged: `run seq`.
//   append-forever <path> <runs> <appends per run> <durability> [name of the runs] [no-snapshots]
import { openSqlite } from '../../src/store/sqlite/index.ts'
import { sampleBatch, sampleSnapshot } from '../../src/testing/sample-records.ts'
import { say } from '../support/say.ts'

const [path = '', runs = '1', appends = '1', durability = 'full', name = 'run', snapshots] = process.argv.slice(2)
const store = await openSqlite(path, { durability: durability as 'full' | 'process' })
say('open\n')

await Promise.all(
  Array.from({ length: Number(runs) }, async (_, number) => {
    const runId = `${name}-${number}`
    let seq = (await store.summary(runId))?.seq ?? 0
    for (let left = Number(appends); left > 0; left--) {
      const size = 1 + (seq % 3)
      await store.append([sampleBatch(runId, seq + 1, seq + size)])
      seq += size
      say(`${runId} ${seq}\n`)
      if (seq % 20 === 0 && snapshots !== 'no-snapshots') await store.putSnapshot(sampleSnapshot(runId, seq))
    }
  }),
)
await store.close()
say('closed\n')
