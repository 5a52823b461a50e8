// The stream of all runs of a tenant: what there is, then each record of any run. Its ids are places in the feed of this
// process; from a place that is not kept any more, it begins with all runs again, each with its seq, so that a reader
// knows of which it has missed something.
import { eventBlock, HEARTBEAT } from './block.ts'
import type { Block } from './block.ts'
import type { Feed } from './feed.ts'
import { together } from './frame.ts'
import type { House } from './house.ts'
import type { StreamContext } from './sse.ts'
import { summaryToWire } from './wire.ts'

export interface AllRunsStream {
  readonly house: House
  readonly feed: Feed
  /** Where to go on. */
  readonly place: string | undefined
}

export async function* allRunsEvents(
  { house, feed, place }: AllRunsStream,
  context: StreamContext,
): AsyncGenerator<Block> {
  let at = place !== undefined && feed.afterPlace(place) !== undefined ? place : undefined
  while (!context.isOver) {
    if (at === undefined) {
      // Before the runs: what is committed meanwhile is told twice rather than never.
      const begin = feed.place
      const runs = await house.runtime.list()
      const snapshot = await context.make(() => allRunsBlock(begin, runs.map(summaryToWire)))
      if (snapshot === undefined) return
      at = begin
      yield snapshot
    }
    const frames = feed.afterPlace(at)
    if (frames === undefined) {
      at = undefined
      continue
    }
    const some = together(frames, ({ frame, place: after }) => frame.blockAt(after))
    if (some !== undefined) {
      at = some.last.place
      yield some.block
      continue
    }
    if (context.isLate) yield HEARTBEAT
    if (feed.place === at) await context.nap(feed.wakes)
  }
}

function allRunsBlock(place: string, runs: readonly object[]): Block {
  return eventBlock({ id: place, event: 'snapshot', data: JSON.stringify({ runs }) })
}
