// Commits batches of three items one after the other, and says which are acknowledged.
import { createMemory, openSqliteMemory } from '../../src/memory/index.ts'

const [path = '', name = '', count = '100'] = process.argv.slice(2)
const memory = await createMemory({ store: await openSqliteMemory(path, { durability: 'process' }) })
const me = memory.for({ runId: name })
for (let number = 0; number < Number(count); number++) {
  const parts = ['a', 'b', 'c'].map((part) => ({
    op: 'add' as const,
    kind: 'semantic' as const,
    scope: 'global' as const,
    text: `${name} ${number} ${part}`,
  }))
  const { kind } = await me.remember(parts, { key: `batch ${number}` })
  if (kind !== 'committed') throw new Error(`batch ${number} was refused`)
  console.log(number)
}
