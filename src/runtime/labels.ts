import { CallboardError, isPlainObject } from '../base/index.ts'
import type { Labels } from '../store/index.ts'

const MOST_LABELS = 20
const LONGEST_LABEL = 1_000

/**
 * Labels as a run keeps them: copied and frozen, in the order of their names.
 *
 * @throws CallboardError `run.labels`
 */
export function admitLabels(labels: unknown): Labels | undefined {
  if (labels === undefined) return undefined
  const all = isPlainObject(labels) ? Object.entries(labels) : undefined
  const isFine = all?.every((pair) => pair.every((text) => typeof text === 'string' && text.length <= LONGEST_LABEL))
  if (all === undefined || isFine !== true || all.length > MOST_LABELS) {
    throw new CallboardError(
      'run.labels',
      `labels are at most ${MOST_LABELS} texts by name, each of at most ${LONGEST_LABEL} characters`,
    )
  }
  return Object.freeze(Object.fromEntries(all.sort(([one], [other]) => (one < other ? -1 : 1)))) as Labels
}
