import { expect, it } from 'vitest'
import { loadModules } from './properties/modules.ts'
import { failureOf } from './properties/run-property.ts'
import { propertyWaiting } from './properties/waiting.ts'

it('every wait ends exactly once, whatever is written, aborted, cancelled or late, and leaves nothing behind', async () => {
  expect(await failureOf(propertyWaiting(await loadModules()))).toBeUndefined()
})
