import { expect, it } from 'vitest'
import { loadModules } from './properties/modules.ts'
import { propertyResting } from './properties/resting.ts'
import { failureOf } from './properties/run-property.ts'

it('a run comes to the same, and looks the same, whether it rests, is recovered in between, or stays', async () => {
  expect(await failureOf(propertyResting(await loadModules()))).toBeUndefined()
}, 120_000)
