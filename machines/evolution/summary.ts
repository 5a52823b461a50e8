import type { Runtime } from 'callboard'
import { Meta } from './meta.ts'

/** One line of the list of evolutions. */
export interface EvolutionSummary extends Meta {
  readonly hasErrors: boolean
}

/** The evolutions in a runtime's store, oldest first, whether they still go on or ended long ago. */
export async function summariseEvolutions(runtime: Pick<Runtime, 'list' | 'store'>): Promise<EvolutionSummary[]> {
  const runs = await runtime.list({ workflow: 'evolution' })
  const summaries = await Promise.all(runs.map(({ runId }) => summarise(runtime, runId)))
  return summaries.filter((summary) => summary !== undefined)
}

/** Read from the ledger: a run that is at rest has no live board. */
async function summarise({ store }: Pick<Runtime, 'store'>, runId: string): Promise<EvolutionSummary | undefined> {
  const records = await store.read(runId)
  const written = records.flatMap(({ changes }) => changes)
  const newest = (key: string): unknown => written.findLast((change) => change.key === key)?.cell.entry.value
  const meta = Meta.safeParse(newest('meta'))
  if (!meta.success) return undefined
  const errors = newest('errors')
  return { ...meta.data, hasErrors: Array.isArray(errors) && errors.length > 0 }
}
