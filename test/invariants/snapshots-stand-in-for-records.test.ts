import { expect, it } from 'vitest'
import { loadModules } from './properties/modules.ts'
import { failureOf } from './properties/run-property.ts'
import { propertySnapshots } from './properties/snapshots.ts'

it('a snapshot and the records after it are the whole ledger, wherever it is cut, and a run takes snapshots of just that', async () => {
  expect(await failureOf(propertySnapshots(await loadModules()))).toBeUndefined()
}, 120_000)
