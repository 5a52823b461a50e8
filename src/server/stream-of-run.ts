// The stream of one run: a snapshot, then each record after it, in order, once. Its ids are seqs.
import type { Change } from '../runtime/index.ts'
import { changeOf, readRecords } from '../runtime/index.ts'
import { textOf } from './feed.ts'
import type { Feed, Frame, RunWatch } from './feed.ts'
import type { House } from './house.ts'
import { openRun } from './runs.ts'
import type { StreamContext, StreamEvent } from './sse.ts'
import { entryToWire, summaryToWire } from './wire.ts'

export interface RunStream {
  readonly house: House
  readonly feed: Feed
  readonly runId: string
  /** Where to go on; begins with a snapshot unless given. */
  readonly afterSeq: number | undefined
}

/** Records read from the ledger, and frames sent, at once. */
const AT_ONCE = 128

export async function* runEvents(stream: RunStream, context: StreamContext): AsyncGenerator<readonly StreamEvent[]> {
  const { house, feed, runId } = stream
  const watch = feed.watch(runId)
  try {
    let seq = stream.afterSeq
    if (seq === undefined) {
      const snapshot = await snapshotOf(house, runId)
      seq = snapshot.seq
      yield [{ kind: 'event', event: 'snapshot', id: String(seq), data: JSON.stringify(snapshot) }]
    }
    let isLate = false
    while (!context.signal.aborted) {
      const frames = await framesAfter(stream, watch, seq)
      const last = frames.at(-1)
      if (last !== undefined) {
        seq = last.seq
        isLate = false
        yield frames.map((frame) => ({ kind: 'event', event: 'change', id: String(frame.seq), data: textOf(frame) }))
        continue
      }
      if (isLate) yield [{ kind: 'heartbeat' }]
      const summary = await house.runtime.store.summary(runId)
      if (summary === undefined) return
      if (summary.status !== 'active' && summary.seq <= seq) {
        yield [{ kind: 'event', event: 'end', id: String(seq), data: JSON.stringify(summaryToWire(summary)) }]
        return
      }
      const late = context.late()
      isLate = false
      void late.whenLate.then(() => (isLate = true))
      await watch.next(seq, context.signal, late.whenLate)
      late.cancel()
    }
  } finally {
    watch.close()
  }
}

async function framesAfter({ house, runId }: RunStream, watch: RunWatch, seq: number): Promise<readonly Frame[]> {
  const kept = watch.after(seq)
  if (kept !== undefined) return kept.slice(0, AT_ONCE)
  const records = await readRecords(house.runtime.store, runId, { afterSeq: seq, limit: AT_ONCE })
  return records.map((record) => ({ runId, seq: record.seq, change: changeOf(record) satisfies Change }))
}

/** The run as it is stored: nothing in it is ahead of the changes that follow. */
async function snapshotOf(
  house: House,
  runId: string,
): Promise<Readonly<Record<string, unknown>> & { readonly seq: number }> {
  const run = await openRun(house, runId)
  const { seq, state } = run
  const entries = run.entries().map((entry) => entryToWire(entry, { secrets: false }))
  return { runId, workflow: run.workflow, status: run.status, seq, state, entries }
}
