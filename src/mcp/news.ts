// News: of which resources a caller is told that they have changed. An agent is told of what it can see and of nothing else:
// that nothing is said is the same whatever happened out of its sight.
import type { LedgerRecord } from '../ledger/index.ts'
import type { Run } from '../runtime/index.ts'
import type { Desk } from './desk.ts'
import { uriOf } from './place.ts'
import type { Place } from './place.ts'

export interface NewsReader {
  onUpdated(uri: string): void
  /** There are resources that were not there before. */
  onListChanged(): void
}

type CommittedChange = LedgerRecord['changes'][number]

/** Tells a reader what changes from now on; gives the function that ends it. */
export function followNews(desk: Desk, reader: NewsReader): () => void {
  const { runtime } = desk
  const tell = (places: readonly Place[]): void => {
    for (const place of places) reader.onUpdated(uriOf(place))
  }
  const offs = [
    runtime.on('run', ({ workflow }) => {
      if (!desk.concerns(workflow)) return
      tell([{ kind: 'runs' }])
      reader.onListChanged()
    }),
    runtime.on('end', ({ runId }) => {
      const run = desk.known(runId)
      if (run !== undefined) tell([{ kind: 'runs' }, { kind: 'run', runId }])
    }),
    runtime.on('record', ({ runId, record }) => {
      const run = desk.known(runId)
      if (run !== undefined) tell(placesOf(desk, run, record))
      const global = record.changes.filter(({ scope }) => scope === 'global')
      if (global.length === 0) return
      for (const other of desk.lookedAt()) if (other.id !== runId) tell(placesOfChanges(desk, other, global))
    }),
  ]
  return () => {
    for (const off of offs) off()
  }
}

function placesOf(desk: Desk, run: Run, record: LedgerRecord): readonly Place[] {
  const { id: runId } = run
  const places = placesOfChanges(desk, run, record.changes)
  return desk.agent === undefined ? [{ kind: 'run', runId }, { kind: 'ledger', runId }, ...places] : places
}

function placesOfChanges(desk: Desk, run: Run, changes: readonly CommittedChange[]): readonly Place[] {
  const { id: runId } = run
  const seen = changes.filter(({ cell }) => desk.sees(run, cell.entry))
  if (seen.length === 0) return []
  const keys = new Set(seen.map(({ key }) => key))
  const entries: Place[] = [...keys].map((key) => ({ kind: 'entry', runId, key }))
  return [{ kind: 'entries', runId }, ...entries, ...viewsOf(desk, run, seen)]
}

/** The views of agents that an operator or reader may look at. */
function viewsOf(desk: Desk, run: Run, changes: readonly CommittedChange[]): readonly Place[] {
  if (desk.agent !== undefined) return []
  const types = [...(desk.definition(run.workflow)?.agents.keys() ?? [])].map((type) => ({ id: type, type }))
  const agents = new Map([...types, ...run.explain().agents].map(({ id, type }) => [id, type]))
  return [...agents]
    .filter(([id, type]) => changes.some(({ cell }) => run.isSeenBy(id, cell.entry, type)))
    .map(([agent]) => ({ kind: 'view', runId: run.id, agent }))
}
