import { expect, it } from 'vitest'
import { loadModules } from './properties/modules.ts'
import { propertyNonInterference } from './properties/non-interference.ts'
import { failureOf } from './properties/run-property.ts'

it('what an agent cannot see changes nothing it is shown, told or answered, not by a byte', async () => {
  expect(await failureOf(propertyNonInterference(await loadModules()))).toBeUndefined()
})
