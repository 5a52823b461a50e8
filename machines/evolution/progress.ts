import { setImmediate } from 'node:timers/promises'

/** Told after each unit of work: how much is done, of how much, and what was just looked at. */
export type OnProgress = (done: number, total: number, label: string) => void

/**
 * Passes progress on as an agent tells it: `reads src/a.ts`.
 *
 * @param last what is told once all is done, where something without progress of its own follows
 */
export function tellingOf(
  tell: (progress: { done: number; total: number; message: string }) => void,
  what: string,
  last?: string,
): OnProgress {
  return (done, total, label) =>
    tell({ done, total, message: last !== undefined && done === total ? last : `${what} ${label}` })
}

/** What every long function of the toolkit accepts. */
export interface Watched {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
}

/** How many units run between two turns of the event loop: other agents and the abort signal get their turn there. */
const TURN = 8

/**
 * Does `work` for each item in order, and yields to the event loop regularly.
 *
 * @throws the signal's reason, as soon as it is aborted
 */
export async function forEachWatched<Item>(
  items: readonly Item[],
  { signal, onProgress }: Watched,
  label: (item: Item) => string,
  work: (item: Item, index: number) => void | Promise<void>,
): Promise<void> {
  for (const [index, item] of items.entries()) {
    signal?.throwIfAborted()
    if (index % TURN === TURN - 1) await setImmediate()
    await work(item, index)
    onProgress?.(index + 1, items.length, label(item))
  }
  signal?.throwIfAborted()
}
