// The board of a durable context: an entry for every name, in one of three places that say how it is kept.
import { defineContext, entry } from 'callboard'
import type { ContextDefinition } from 'callboard'
import { z } from 'zod'

export const board = defineContext({
  'data.*': entry(z.unknown(), { merge: 'replace' }),
  /** Cannot be overwritten or deleted once it is there. */
  'protected.*': entry(z.unknown(), { merge: 'replace', protected: true, pinned: true }),
  /** Never stored. */
  'ephemeral.*': entry(z.unknown(), { merge: 'replace', ephemeral: true }),
})

export type DurableContextValues = typeof board extends ContextDefinition<infer Values> ? Values : never

/** Where a name is kept; the first of these in which it is there is where it is read. */
export const PLACES = ['protected', 'data', 'ephemeral'] as const
export type Place = (typeof PLACES)[number]

/** The entry of a name. */
export function keyOf(place: Place, name: string): keyof DurableContextValues {
  return `${place}.${name}` as keyof DurableContextValues
}

/** The place and the name of an entry. */
export function placeOf(key: string): { readonly place: Place; readonly name: string } | undefined {
  const place = PLACES.find((one) => key.startsWith(`${one}.`))
  return place === undefined ? undefined : { place, name: key.slice(place.length + 1) }
}
