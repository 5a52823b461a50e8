// The stream of all runs of a tenant: what there is, then each record of any run. Its ids are places in the feed of this
// process; from a place that is not kept any more, it begins with all runs again, each with its seq, so that a reader
// knows of which it has missed something.
import { textOf } from './feed.ts'
import type { Feed } from './feed.ts'
import type { House } from './house.ts'
import type { StreamContext, StreamEvent } from './sse.ts'
import { summaryToWire } from './wire.ts'

export interface AllRunsStream {
  readonly house: House
  readonly feed: Feed
  /** Where to go on. */
  readonly place: string | undefined
}

const AT_ONCE = 128

export async function* allRunsEvents(
  { house, feed, place }: AllRunsStream,
  context: StreamContext,
): AsyncGenerator<readonly StreamEvent[]> {
  let at = place !== undefined && feed.afterPlace(place) !== undefined ? place : undefined
  let isLate = false
  while (!context.signal.aborted) {
    if (at === undefined) {
      at = feed.place
      const runs = (await house.runtime.list()).map(summaryToWire)
      yield [{ kind: 'event', event: 'snapshot', id: at, data: JSON.stringify({ runs }) }]
    }
    const frames = feed.afterPlace(at)
    if (frames === undefined) {
      at = undefined
      continue
    }
    const some = frames.slice(0, AT_ONCE)
    const last = some.at(-1)
    if (last !== undefined) {
      at = last.place
      isLate = false
      yield some.map((frame) => ({
        kind: 'event',
        event: 'change',
        id: frame.place,
        // The text of a frame is made once; here it also says of which run it is.
        data: `{"runId":${JSON.stringify(frame.runId)},"change":${textOf(frame)}}`,
      }))
      continue
    }
    if (isLate) yield [{ kind: 'heartbeat' }]
    const late = context.late()
    isLate = false
    void late.whenLate.then(() => (isLate = true))
    await feed.nextAfterPlace(at, context.signal, late.whenLate)
    late.cancel()
  }
}
