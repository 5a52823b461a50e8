// Evict: which entries make room for an update, and why. Pure: part of the transition that applies the update.
//   V1. Nothing that is pinned, critical or protected is evicted, and nothing that the update itself writes.
//   V2. Who goes is a function of the board, the update and the limits: least priority first, then oldest, then by key.
//   V3. No more go than have to, in that order; an update that no eviction makes fit is refused, and nobody goes.
import { CallboardError } from '../base/index.ts'
import type { Cell, Entry } from './entry.ts'
import { tombstone } from './make-cell.ts'
import { Occupancy, plus, roomOf } from './occupancy.ts'
import type { Room } from './occupancy.ts'
import { Refused } from './refused.ts'
import { isSameAddress } from './scope.ts'
import type { Shelf } from './shelf.ts'
import type { CellChange } from './update.ts'

/** How much the entries of one run may hold together; the least important make room for what is written. */
export interface RoomLimits {
  /** Tokens of the whole context in a prompt, by `estimateTokens`. */
  readonly maxTokens?: number
  /** Entries alive, global ones not counted. */
  readonly maxEntries?: number
  /** UTF-8 bytes of keys and of values as JSON. */
  readonly maxBytes?: number
}

export type LimitName = keyof RoomLimits

/** Why an entry had to make room. */
export interface EvictionReason {
  readonly limit: LimitName
  /** What the limit allows. */
  readonly max: number
  /** What there would have been of it without this eviction. */
  readonly needed: number
}

interface Eviction extends EvictionReason {
  readonly entry: Entry
}

const COUNTED = { maxTokens: 'tokens', maxEntries: 'entries', maxBytes: 'bytes' } as const satisfies Record<
  LimitName,
  keyof Room
>
const NAMES = Object.keys(COUNTED) as readonly LimitName[]

/** @throws CallboardError `workflow.invalid-limits` for a limit that is not a whole number of at least 1 */
export function checkRoomLimits(limits: RoomLimits): RoomLimits {
  for (const name of NAMES) {
    const max = limits[name]
    if (max === undefined || (Number.isSafeInteger(max) && max >= 1)) continue
    throw new CallboardError(
      'workflow.invalid-limits',
      `limits.${name} is ${String(max)}; it is a whole number of at least 1, or left out for no limit`,
      { limit: name, max },
    )
  }
  const { maxTokens, maxEntries, maxBytes } = limits
  return Object.freeze({
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(maxEntries === undefined ? {} : { maxEntries }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
  })
}

/**
 * What else has to happen so that the changes of an update have room on a shelf: what has expired by then goes first.
 * Throws `Refused` where the update takes more room than can be made.
 */
export function makeRoom(
  shelf: Shelf,
  changes: readonly CellChange[],
  { limits, at }: { readonly limits: RoomLimits | undefined; readonly at: number },
): readonly CellChange[] {
  if (limits === undefined) return []
  const before = Occupancy.of(shelf)
  const withChanges = before.after(changes)
  if (firstExceeded(limits, withChanges.room) === undefined) return []
  const expired = shelf
    .expiredAt(at)
    .filter((address) => !changes.some((change) => isSameAddress(change, address)))
    .flatMap((address) => endingOf(shelf.get(address), 'expire', at) ?? [])
  const evictions = chooseEvictions({ limits, before: before.room, after: withChanges.after(expired), changes })
  const evicted = evictions.flatMap(({ entry, ...why }) => {
    const change = endingOf(shelf.get(entry), 'evict', at)
    return change === undefined ? [] : [{ ...change, cell: evictedCell(change.cell, why) }]
  })
  return [...expired, ...evicted]
}

interface Fitting {
  readonly limits: RoomLimits
  /** Before the update, and with everything it changes. */
  readonly before: Room
  readonly after: Occupancy
  readonly changes: readonly CellChange[]
}

function chooseEvictions({ limits, before, after, changes }: Fitting): readonly Eviction[] {
  const written = new Set(changes.map(({ cell }) => cell.entry))
  let { room } = after
  let exceeded = firstExceeded(limits, room)
  const evictions: Eviction[] = []
  for (const entry of after.candidates()) {
    // Whatever follows matters as much as what the update writes, or more.
    if (exceeded === undefined || written.has(entry)) break
    evictions.push({ entry, ...exceeded })
    room = plus(room, roomOf(entry), -1)
    exceeded = firstExceeded(limits, room)
  }
  // Limits may have become narrower since: what takes no more room than before is never refused.
  const grown = NAMES.find((name) => isOver(limits, room, name) && room[COUNTED[name]] > before[COUNTED[name]])
  if (grown !== undefined) throw new Refused('limit', changes[0]?.key, fullRule(grown, limits))
  return evictions
}

function endingOf(previous: Cell | undefined, kind: 'expire' | 'evict', at: number): CellChange | undefined {
  if (previous === undefined) return undefined
  const { scope, holder, key } = previous.entry
  return { kind, scope, holder, key, previous, cell: tombstone(previous, kind, at) }
}

function firstExceeded(limits: RoomLimits, room: Room): EvictionReason | undefined {
  const limit = NAMES.find((name) => isOver(limits, room, name))
  return limit === undefined ? undefined : { limit, max: limits[limit] ?? 0, needed: room[COUNTED[limit]] }
}

function isOver(limits: RoomLimits, room: Room, name: LimitName): boolean {
  return room[COUNTED[name]] > (limits[name] ?? Number.POSITIVE_INFINITY)
}

/** What is left of an evicted entry says why it went, for as long as the ledger is kept. */
function evictedCell(cell: Cell, { limit, max, needed }: EvictionReason): Cell {
  const metadata = Object.freeze({ ...cell.entry.metadata, evicted: Object.freeze({ limit, max, needed }) })
  return { ...cell, entry: Object.freeze({ ...cell.entry, metadata }) }
}

/** Why an entry was evicted, from what is left of it. */
export function evictionReasonOf({ entry }: Cell): EvictionReason | undefined {
  return entry.metadata['evicted'] as EvictionReason | undefined
}

/** The limit, not how much is there: that would tell an agent of what it cannot see. */
function fullRule(limit: LimitName, limits: RoomLimits): string {
  return `the run may have ${String(limits[limit])} ${COUNTED[limit]} (limits.${limit}), and nothing less important than what this update writes can be evicted to make room; write less, drop something, give it a higher priority, or raise the limit`
}
