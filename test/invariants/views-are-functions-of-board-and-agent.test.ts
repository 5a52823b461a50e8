import { expect, it } from 'vitest'
import { loadModules } from './properties/modules.ts'
import { failureOf } from './properties/run-property.ts'
import { propertyViews } from './properties/views.ts'

it('a view kept over many changes is the view a newcomer computes, frozen, ordered, and the same object while nothing in it changes', async () => {
  expect(await failureOf(propertyViews(await loadModules()))).toBeUndefined()
})
