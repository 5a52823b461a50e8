// Question: do readers that take nothing slow down the others? So many readers of one run's stream, of whom none or one of ten
// take nothing, while updates are made one after the other; the server is a process of its own, with a SQLite file.
//   CALLBOARD_READERS=1000 CALLBOARD_UPDATES=10000 npm run bench -- --only streams
import { openStreamedServer } from '../server/streamed-server.ts'
import { measure } from './harness.ts'
import type { Contender } from './harness.ts'
import { lineOf } from './report.ts'
import type { Question } from './report.ts'

const READERS = Number(process.env['CALLBOARD_READERS'] ?? 200)
const UPDATES = Number(process.env['CALLBOARD_UPDATES'] ?? 500)
const SILENT = Math.ceil(READERS / 10)
const ROUNDS = { rounds: Number(process.env['CALLBOARD_ROUNDS'] ?? 5), warmups: 0 }
/** Of an update: so many that what waits for a silent reader is more than its connection takes. */
const KEYS = 10
const BYTES = 30

const FEWER = `${READERS - SILENT} readers`
const ALL = `${READERS} readers`
const SOME = `${READERS} readers, of whom ${SILENT} take nothing`

export const streamsQuestion: Question = {
  name: 'streams',
  async answer() {
    const timings = await measure(
      [
        contender(FEWER, { reading: READERS - SILENT, silent: 0 }),
        contender(ALL, { reading: READERS, silent: 0 }),
        contender(SOME, { reading: READERS - SILENT, silent: SILENT }),
      ],
      ROUNDS,
    )
    return [
      {
        title: 'An update for the readers of a stream',
        operation: `one of ${UPDATES.toLocaleString('en')} updates of ${KEYS} keys, until everybody who reads has all of them, in time that has passed.`,
        lines: [
          lineOf(timings, FEWER),
          lineOf(timings, ALL),
          lineOf(timings, SOME, { baseline: ALL, limit: { kind: 'times', most: 1.25 } }),
        ],
        notMeasured: 'streams of views, large values, other machines: the readers are a process on the same one.',
      },
    ]
  },
}

function contender(
  name: string,
  { reading, silent }: { readonly reading: number; readonly silent: number },
): Contender {
  return {
    name,
    operations: UPDATES,
    async run() {
      const server = await openStreamedServer()
      const { seq } = server.first
      const open = (isSilent: boolean) => server.read('/api/runs/r1/stream', { lastId: seq, isSilent })
      await Promise.all(Array.from({ length: silent }, () => open(true)))
      const readers = await Promise.all(Array.from({ length: reading }, () => open(false)))
      const began = performance.now()
      const arrived = Promise.all(readers.map((reader) => reader.until(seq + UPDATES)))
      await server.order({ kind: 'write', updates: UPDATES, keys: KEYS, bytes: BYTES })
      await arrived
      const ns = (performance.now() - began) * 1e6
      await server.close()
      const wrong = readers.find(({ count, gaps }) => count !== UPDATES || gaps > 0)
      if (wrong !== undefined) throw new Error(`a reader got ${wrong.count} changes with ${wrong.gaps} gaps`)
      return ns / UPDATES
    },
  }
}
