import { expect, it } from 'vitest'
import { loadModules } from './properties/modules.ts'
import { failureOf } from './properties/run-property.ts'
import { propertyVersions } from './properties/versions.ts'

it('versions count 1, 2, 3, … over writes, deletions and expiry, seq has no gaps, and the folded ledger is the board', async () => {
  expect(await failureOf(propertyVersions(await loadModules()))).toBeUndefined()
})
