// One process of many: goes on with every chart that has a step at this index, takes the step, says how the charts
// looked before and after, and ends without closing anything.
import { openSqlite } from 'callboard/sqlite'
import { charts } from './all-charts.ts'
import { stepsOf } from './chart.ts'
import { BEGAN_AT, driveRun, elapsedAt } from './drive.ts'
import { say } from '../support/say.ts'

const [database = '', at = '0'] = process.argv.slice(2)
const index = Number(at)
const store = await openSqlite(database, { durability: 'process' })
const looks: Record<string, readonly string[]> = {}
for (const chart of charts) {
  const step = index === 0 ? undefined : stepsOf(chart)[index - 1]
  if (index > 0 && step === undefined) continue
  const driven = await driveRun(chart, store, index === 0 ? undefined : { at: BEGAN_AT + elapsedAt(chart, index - 1) })
  const before = driven.look()
  if (step === undefined) {
    looks[chart.name] = ['', before]
    continue
  }
  await driven.step(step)
  looks[chart.name] = [before, driven.look()]
}
say(JSON.stringify(looks))
process.exit(0)
