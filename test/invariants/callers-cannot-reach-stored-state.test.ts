import { expect, it } from 'vitest'
import { propertyIsolation } from './properties/isolation.ts'
import { loadModules } from './properties/modules.ts'
import { failureOf } from './properties/run-property.ts'

it('whatever callers do to what they handed in or were handed out changes nothing stored, nor the other way round', async () => {
  expect(await failureOf(propertyIsolation(await loadModules()))).toBeUndefined()
})
