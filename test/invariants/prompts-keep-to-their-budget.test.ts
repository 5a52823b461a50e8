import { expect, it } from 'vitest'
import { loadModules } from './properties/modules.ts'
import { propertyRendering } from './properties/rendering.ts'
import { failureOf } from './properties/run-property.ts'

it('a prompt keeps to its budget, has everything pinned or critical, explains every entry, and is the same each time', async () => {
  expect(await failureOf(propertyRendering(await loadModules()))).toBeUndefined()
})
