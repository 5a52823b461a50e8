import { expect, it } from 'vitest'
import { propertyEviction } from './properties/eviction.ts'
import { loadModules } from './properties/modules.ts'
import { failureOf } from './properties/run-property.ts'

it('eviction takes the least important entries and no more than it has to, never a pinned, critical or protected one, and the same ones each time', async () => {
  expect(await failureOf(propertyEviction(await loadModules()))).toBeUndefined()
})
