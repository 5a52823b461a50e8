// The stream of one run: a snapshot, then each record after it, in order, once. Its ids are seqs.
import { eventBlock, HEARTBEAT } from './block.ts'
import type { Block } from './block.ts'
import type { Feed } from './feed.ts'
import { together } from './frame.ts'
import type { House } from './house.ts'
import { openRun } from './runs.ts'
import type { StreamContext } from './sse.ts'
import { entryToWire, summaryToWire } from './wire.ts'

export interface RunStream {
  readonly house: House
  readonly feed: Feed
  readonly runId: string
  /** Where to go on; begins with a snapshot unless given. */
  readonly afterSeq: number | undefined
}

export async function* runEvents(
  { house, feed, runId, afterSeq }: RunStream,
  context: StreamContext,
): AsyncGenerator<Block> {
  const watch = feed.watch(runId)
  try {
    let seq = afterSeq ?? 0
    if (afterSeq === undefined) {
      const run = await openRun(house, runId)
      const snapshot = await context.make(() => {
        seq = run.seq
        return watch.snapshot(seq, () => snapshotOf(run))
      })
      if (snapshot === undefined) return
      yield snapshot
    }
    let isFirst = true
    while (!context.isOver) {
      const some = together(await watch.after(seq), (frame) => frame.block)
      if (some !== undefined) {
        seq = some.last.seq
        yield some.block
        continue
      }
      // Looked up when it may have ended, not for every record: there may be a thousand readers.
      if (isFirst || context.isLate || watch.isOver()) {
        const summary = await house.runtime.store.summary(runId)
        if (summary === undefined) return
        if (summary.status !== 'active' && summary.seq <= seq) {
          yield eventBlock({ id: String(seq), event: 'end', data: JSON.stringify(summaryToWire(summary)) })
          return
        }
        isFirst = false
      }
      if (context.isLate) yield HEARTBEAT
      if (!watch.isAfter(seq)) await context.nap(watch.wakes)
    }
  } finally {
    watch.close()
  }
}

/** The run as it is stored: nothing in it is ahead of the changes that follow. */
function snapshotOf(run: Awaited<ReturnType<typeof openRun>>): Block {
  const { seq, state } = run
  const entries = run.entries().map((entry) => entryToWire(entry, { secrets: false }))
  const data = { runId: run.id, workflow: run.workflow, status: run.status, seq, state, entries }
  return eventBlock({ id: String(seq), event: 'snapshot', data: JSON.stringify(data) })
}
