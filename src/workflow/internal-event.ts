// The events by which the runtime reaches a machine's board. Their types start with `callboard.`, which no user event may.
import type { CellChange, Shelf, Update } from '../context/index.ts'

export const UPDATE_EVENT = 'callboard.update'
export const EXPIRE_EVENT = 'callboard.expire'
export const UPSTREAM_EVENT = 'callboard.upstream'

export const INTERNAL_EVENTS = [UPDATE_EVENT, EXPIRE_EVENT, UPSTREAM_EVENT] as const

/** An update to apply. */
export interface UpdateEvent {
  readonly type: typeof UPDATE_EVENT
  readonly update: Update
  /** With what the transition begins. */
  readonly begin: { readonly at: number; readonly transitionId: string; readonly globals: Shelf }
}

/** Time to remove what has expired. */
export interface ExpireEvent {
  readonly type: typeof EXPIRE_EVENT
  readonly at: number
}

/** Another run changed global entries. */
export interface UpstreamEvent {
  readonly type: typeof UPSTREAM_EVENT
  readonly changes: readonly CellChange[]
}

export type InternalEvent = UpdateEvent | ExpireEvent | UpstreamEvent

export function isInternalEvent(event: { readonly type: string }): event is InternalEvent {
  return event.type.startsWith('callboard.')
}
