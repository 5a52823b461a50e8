// The stream of one agent's view: the view, then what becomes another in it. Its ids name what it shows: the view's own seq,
// which counts what this agent could see and nothing else, and a mark of its entries, some of which end without a change: the
// ephemeral ones of a process that is gone, those that a filter hides. Who is slow is told of several changes at once, never
// of less.
import { hash } from 'node:crypto'
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
  /** The id of the view that the reader has; it begins with the whole view where that is another one. */
  readonly seen: string | undefined
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
    if (idOf(view) !== seen) {
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
        yield eventOf('end', view, { status: run.status })
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
  const block = eventOf('view', view, viewToWire(view, shows))
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
  const made = eventOf('change', after, change)
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

function eventOf(event: string, view: View, data: object): Block {
  return eventBlock({ id: idOf(view), event, data: JSON.stringify(data) })
}

const ids = new WeakMap<View, string>()
const marks = new WeakMap<Entry, number>()
const MARKS = 2 ** 48

/** The same for the same entries, in this process or another; values are told by their versions and instants. */
function idOf(view: View): string {
  const known = ids.get(view)
  if (known !== undefined) return known
  // A sum: of ten thousand entries, only those that are others are marked anew. Their order follows from what they are.
  const mark = view.entries().reduce((sum, entry) => (sum + markOfEntry(entry)) % MARKS, 0)
  const id = `${view.seq}-${mark.toString(36)}`
  ids.set(view, id)
  return id
}

function markOfEntry(entry: Entry): number {
  const known = marks.get(entry)
  if (known !== undefined) return known
  const { value: _value, metadata: _metadata, ...shown } = entry
  const mark = hash('sha256', JSON.stringify(shown), 'buffer').readUIntBE(0, 6)
  marks.set(entry, mark)
  return mark
}
