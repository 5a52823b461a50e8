import type { Priority, Task, TaskKind } from './schema.ts'

const WEIGHTS: Readonly<Record<TaskKind, number>> = {
  add_docstrings: 0.3,
  add_type_hints: 0.2,
  reduce_complexity: 0.5,
  fix_bug: 0.8,
  optimize: 0.4,
  refactor: 0.6,
  other: 0.1,
}

const FACTORS: Readonly<Record<Priority, number>> = { high: 1.5, medium: 1, low: 0.7 }

/** What one task is worth: the weight of its kind times the factor of its priority. */
export const impactOf = ({ kind, priority }: Pick<Task, 'kind' | 'priority'>): number =>
  round(WEIGHTS[kind] * FACTORS[priority])

/** What a plan is worth: the mean of its tasks, at most 1; without tasks 0. */
export function estimateImpact(tasks: readonly Pick<Task, 'kind' | 'priority'>[]): number {
  if (tasks.length === 0) return 0
  const sum = tasks.reduce((total, { kind, priority }) => total + WEIGHTS[kind] * FACTORS[priority], 0)
  return Math.min(1, round(sum / tasks.length))
}

/** Cuts off what binary fractions add: 0.3 × 1.5 is 0.45. */
const round = (value: number): number => Math.round(value * 1e9) / 1e9
