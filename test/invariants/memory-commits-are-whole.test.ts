import { expect, it } from 'vitest'
import { propertyMemoryCommits } from './properties/memory-commits.ts'
import { loadModules } from './properties/modules.ts'
import { failureOf } from './properties/run-property.ts'

it('a commit to memory under faults is all or nothing, does the same once however often it is repeated, and can be taken back', async () => {
  expect(await failureOf(propertyMemoryCommits(await loadModules()))).toBeUndefined()
})
