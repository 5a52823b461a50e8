// Cursor: where the next page of a list begins, as a text that means nothing to its holder.
import { CallboardError } from '../base/index.ts'

interface Page<Item> {
  readonly items: readonly Item[]
  readonly next: string | null
}

export interface PageAsked {
  readonly cursor?: string | undefined
  readonly limit?: number | undefined
}

/** On one page. */
export const MOST_ITEMS = 1_000

/** A page of a list that is in the order of its places; what is gone since does not matter. */
export function pageAfter<Item>(
  all: readonly Item[],
  asked: { readonly cursor: string | undefined; readonly limit: number },
  placeOf: (item: Item) => string,
): Page<Item> {
  const after = asked.cursor === undefined ? undefined : placeIn(asked.cursor)
  const rest = after === undefined ? all : all.filter((item) => placeOf(item) > after)
  const items = rest.slice(0, asked.limit)
  const last = items.at(-1)
  return { items, next: last === undefined || rest.length === items.length ? null : cursorAt(placeOf(last)) }
}

/** The same for a list in another order: it is put into that of its places. */
export function sortedPage<Item>(
  all: readonly Item[],
  { cursor, limit = MOST_ITEMS }: PageAsked,
  placeOf: (item: Item) => string,
): Page<Item> {
  const placed = all.map((item) => ({ item, place: placeOf(item) }))
  placed.sort((one, other) => (one.place < other.place ? -1 : 1))
  const { items, next } = pageAfter(placed, { cursor, limit }, ({ place }) => place)
  return { items: items.map(({ item }) => item), next }
}

/** The same for a list to which something is added only, at its end. */
export function pageOfGrowing<Item>(all: readonly Item[], asked: PageAsked): Page<Item> {
  const numbered = all.map((item, index) => ({ item, index }))
  const { items, next } = sortedPage(numbered, asked, ({ index }) => placeOfNumber(index))
  return { items: items.map(({ item }) => item), next }
}

export function cursorAt(place: string): string {
  return Buffer.from(place).toString('base64url')
}

/** @throws CallboardError `server.invalid` for a text that is no cursor */
export function placeIn(cursor: string): string {
  const place = Buffer.from(cursor, 'base64url').toString()
  if (cursor !== '' && cursorAt(place) === cursor) return place
  throw noCursorError()
}

/** The number that is a place. @throws CallboardError `server.invalid` for a cursor of a list that has others */
export function numberIn(cursor: string): number {
  const place = placeIn(cursor)
  const number = Number(place)
  if (Number.isSafeInteger(number) && placeOfNumber(number) === place) return number
  throw noCursorError()
}

export function noCursorError(): CallboardError {
  return new CallboardError('server.invalid', 'that is no cursor; take the one that came with the page before', {})
}

/** Numbers in places are compared as texts. */
export function placeOfNumber(number: number): string {
  return String(number).padStart(16, '0')
}
