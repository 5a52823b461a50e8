// Appends to one run from several processes at the same expected seq; tells which it won, and every other error.
//   race <path> <name> <rounds>
import { once } from 'node:events'
import { isCallboardError } from '../../src/base/index.ts'
import { openSqlite } from '../../src/store/sqlite/index.ts'
import { sampleBatch } from '../../src/testing/sample-records.ts'
import { say } from '../support/say.ts'

const [path = '', name = '', rounds = '1'] = process.argv.slice(2)
await once(process.stdin, 'data')
const store = await openSqlite(path, { durability: 'process', busyTimeoutMs: 30_000 })
for (let seq = 1; seq <= Number(rounds); seq++) {
  try {
    await store.append([sampleBatch('contested', seq, seq, { value: name })])
    say(`won ${seq}\n`)
  } catch (error) {
    if (isCallboardError(error, 'store.conflict')) say(`lost ${seq}\n`)
    else say(`error ${seq} ${String(error)}\n`)
  }
  // The others may be behind: nobody is asked to write a seq that is not there yet.
  while (((await store.summary('contested'))?.seq ?? 0) < seq) await new Promise((resolve) => setImmediate(resolve))
}
await store.close()
process.exit(0)
