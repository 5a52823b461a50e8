import { expect, it } from 'vitest'
import { propertyArgumentsStay, propertyOrderDoesNotMatter, propertyThreeWay } from './properties/merging.ts'
import { loadModules } from './properties/modules.ts'
import { failureOf } from './properties/run-property.ts'

it('no policy changes what it is given', async () => {
  expect(await failureOf(propertyArgumentsStay(await loadModules()))).toBeUndefined()
})

it('union, counter, max and min give the same for every order of the updates', async () => {
  expect(await failureOf(propertyOrderDoesNotMatter(await loadModules()))).toBeUndefined()
})

it('of two parallel updates both survive where they touch different parts, and where they do not the place is named', async () => {
  expect(await failureOf(propertyThreeWay(await loadModules()))).toBeUndefined()
})
