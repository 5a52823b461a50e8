import { expect, it } from 'vitest'
import { propertyHandlers } from './properties/handlers.ts'
import { loadModules } from './properties/modules.ts'
import { failureOf } from './properties/run-property.ts'

it('a handler that throws, at once or later, harms neither the commit, the author nor other handlers', async () => {
  expect(await failureOf(propertyHandlers(await loadModules()))).toBeUndefined()
})
