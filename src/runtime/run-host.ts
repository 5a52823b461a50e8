import type { Board } from '../context/index.ts'
import type { ForkOptions } from './fork.ts'
import type { Point } from './point.ts'
import type { Run } from './run.ts'
import type { RunState } from './run-state.ts'

/** What a run needs of its runtime. */
export interface RunHost {
  nextId(kind: string): string
  /** A board of the run as it was, over the global entries that it saw then. */
  withGlobalsThen(state: RunState): Promise<Board>
  fork(runId: string, point: Point, options: ForkOptions): Promise<Run>
  /** Somebody asks for the whole of it, or for a comparison. */
  onQuery(runId: string, what: 'compare' | 'export'): void
}
