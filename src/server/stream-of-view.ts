// The stream of one agent's view: the view, then what becomes another in it. Its ids are the view's own seqs, which count
// what this agent could see and nothing else. Who is slow is told of several changes at once, never of less.
import type { Entry, View } from '../context/index.ts'
import type { Run } from '../runtime/index.ts'
import { eventBlock, HEARTBEAT } from './block.ts'
import type { Block } from './block.ts'
import type { AgentIdentity } from './caller.ts'
import type { Feed } from './feed.ts'
import type { StreamContext } from './sse.ts'
import { entryToWire, viewToWire } from './wire.ts'

export interface ViewStream {
  readonly run: Run
  readonly feed: Feed
  readonly agent: AgentIdentity
  /** The view that the reader has; it begins with the whole view where that is another one. */
  readonly seen: number | undefined
  readonly shows: Shows
}

/** Whether the reader is shown what is sensitive. */
interface Shows {
  readonly secrets: boolean
}

export async function* viewEvents(
  { run, feed, agent, seen, shows }: ViewStream,
  context: StreamContext,
): AsyncGenerator<Block> {
  const look = (): View => run.view(agent.id, agent.type)
  const watch = feed.watch(run.id)
  try {
    let view = look()
    if (view.seq !== seen) {
      const whole = await context.make(() => wholeBlock((view = look()), shows))
      if (whole === undefined) return
      yield whole
    }
    while (!context.isOver) {
      // Before the view: what is committed after it wakes at once.
      const { seq } = run
      const next = look()
      if (next !== view) {
        const change = changeBlock(view, next, shows)
        view = next
        if (change !== undefined) yield change
        continue
      }
      if (run.status !== 'active') {
        yield eventOf('end', view.seq, { status: run.status })
        return
      }
      if (context.isLate) yield HEARTBEAT
      if (run.seq === seq) await context.nap(watch.wakes)
    }
  } finally {
    watch.close()
  }
}

/** What was made for some reader, for all others who are shown the same. */
interface Made {
  readonly wholes: WeakMap<View, WeakRef<Block>>
  /** By the view after it: what it is a change of, and the event. */
  readonly changes: WeakMap<View, { readonly before: WeakRef<View>; readonly block: WeakRef<Block> }>
}

const withSecrets: Made = { wholes: new WeakMap(), changes: new WeakMap() }
const redacted: Made = { wholes: new WeakMap(), changes: new WeakMap() }
const madeFor = ({ secrets }: Shows): Made => (secrets ? withSecrets : redacted)

/** A view, made once while it is being sent to somebody. */
function wholeBlock(view: View, shows: Shows): Block {
  const { wholes } = madeFor(shows)
  const known = wholes.get(view)?.deref()
  if (known !== undefined) return known
  const block = eventOf('view', view.seq, viewToWire(view, shows))
  wholes.set(view, new WeakRef(block))
  return block
}

/** Undefined where there is nothing to tell. */
function changeBlock(before: View, after: View, shows: Shows): Block | undefined {
  const { changes } = madeFor(shows)
  const known = changes.get(after)
  const block = known?.before.deref() === before ? known.block.deref() : undefined
  if (block !== undefined) return block
  const change = changeBetween(before, after, shows)
  // The view was only computed anew: telling so would tell of what others do.
  if (before.seq === after.seq && change.entries.length === 0 && change.gone.length === 0) return undefined
  const made = eventOf('change', after.seq, change)
  changes.set(after, { before: new WeakRef(before), block: new WeakRef(made) })
  return made
}

/** What is there now and was not, or was another; and which keys are gone. */
function changeBetween(
  before: View,
  after: View,
  shows: Shows,
): { readonly seq: number; readonly entries: readonly object[]; readonly gone: readonly string[] } {
  const old = new Map(before.entries().map((entry): [string, Entry] => [entry.key, entry]))
  const changed = after.entries().filter((entry) => old.get(entry.key) !== entry)
  const kept = new Set(after.keys())
  return {
    seq: after.seq,
    entries: changed.map((entry) => entryToWire(entry, shows)),
    gone: [...old.keys()].filter((key) => !kept.has(key)),
  }
}

function eventOf(event: string, seq: number, data: object): Block {
  return eventBlock({ id: String(seq), event, data: JSON.stringify(data) })
}
