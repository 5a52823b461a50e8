// The stream of one agent's view: the view, then what becomes another in it. Its ids are the view's own seqs, which count
// what this agent could see and nothing else. Who is slow is told of several changes at once, never of less.
import type { Entry, View } from '../context/index.ts'
import type { Run } from '../runtime/index.ts'
import type { AgentIdentity } from './caller.ts'
import type { Feed } from './feed.ts'
import type { StreamContext, StreamEvent } from './sse.ts'
import { entryToWire, viewToWire } from './wire.ts'

export interface ViewStream {
  readonly run: Run
  readonly feed: Feed
  readonly agent: AgentIdentity
  /** The view that the reader has; it begins with the whole view where that is another one. */
  readonly seen: number | undefined
}

export async function* viewEvents(
  { run, feed, agent, seen }: ViewStream,
  context: StreamContext,
): AsyncGenerator<readonly StreamEvent[]> {
  const look = (): View => run.view(agent.id, agent.type)
  const watch = feed.watch(run.id)
  try {
    let view = look()
    if (view.seq !== seen) yield [eventOf('view', view.seq, viewToWire(view))]
    let isLate = false
    while (!context.signal.aborted) {
      // Before the view: what is committed after it wakes at once.
      const { seq } = run
      const next = look()
      if (next !== view) {
        const change = changeBetween(view, next)
        view = next
        isLate = false
        yield [eventOf('change', view.seq, change)]
        continue
      }
      if (run.status !== 'active') {
        yield [eventOf('end', view.seq, { status: run.status })]
        return
      }
      if (isLate) yield [{ kind: 'heartbeat' }]
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

/** What is there now and was not, or was another; and which keys are gone. */
function changeBetween(before: View, after: View): object {
  const old = new Map(before.entries().map((entry): [string, Entry] => [entry.key, entry]))
  const changed = after.entries().filter((entry) => old.get(entry.key) !== entry)
  const kept = new Set(after.keys())
  return {
    seq: after.seq,
    entries: changed.map((entry) => entryToWire(entry, { secrets: true })),
    gone: [...old.keys()].filter((key) => !kept.has(key)),
  }
}

function eventOf(event: string, seq: number, data: object): StreamEvent {
  return { kind: 'event', event, id: String(seq), data: JSON.stringify(data) }
}
