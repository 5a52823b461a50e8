/** One place inside a value where two writers disagreed. */
export interface PathConflict {
  /** Where, inside the value; empty for the value itself. */
  readonly path: readonly (string | number)[]
  /** What both had started from; undefined when it was absent. */
  readonly base: unknown
  /** What was there when the update arrived. */
  readonly theirs: unknown
  /** What the update asked for. */
  readonly mine: unknown
}
