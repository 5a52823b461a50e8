import type { ForkOptions } from './fork.ts'
import type { Point } from './point.ts'
import type { Run } from './run.ts'

/** What a run needs of its runtime. */
export interface RunHost {
  nextId(kind: string): string
  fork(runId: string, point: Point, options: ForkOptions): Promise<Run>
  /** Somebody asks for the whole of it, or for a comparison. */
  onQuery(runId: string, what: 'compare' | 'export'): void
}
