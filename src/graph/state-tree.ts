import type { Chart, ChartState } from './chart.ts'

/** The states of a chart by path, in document order, with the way up that `Chart` itself does not hold. */
export class StateTree {
  readonly #states = new Map<string, ChartState>()
  readonly #parents = new Map<string, string>()

  constructor(chart: Chart) {
    this.#add(chart.root)
  }

  #add(state: ChartState): void {
    this.#states.set(state.path, state)
    for (const child of state.states) {
      this.#parents.set(child.path, state.path)
      this.#add(child)
    }
  }

  /** Every state, the root first. */
  get states(): readonly ChartState[] {
    return [...this.#states.values()]
  }

  get(path: string): ChartState | undefined {
    return this.#states.get(path)
  }

  parentOf(path: string): ChartState | undefined {
    const parent = this.#parents.get(path)
    return parent === undefined ? undefined : this.#states.get(parent)
  }

  /** The paths from the root down to a state, itself included. */
  lineageOf(path: string): readonly string[] {
    const lineage = [path]
    for (let at = this.#parents.get(path); at !== undefined; at = this.#parents.get(at)) lineage.unshift(at)
    return lineage
  }

  /** Whether one of two states lies inside the other, at any depth. */
  areNested(one: string, other: string): boolean {
    return this.isInside(one, other) || this.isInside(other, one)
  }

  /** Whether a state lies below another, at any depth. */
  isInside(path: string, ancestor: string): boolean {
    for (let at = this.#parents.get(path); at !== undefined; at = this.#parents.get(at)) {
      if (at === ancestor) return true
    }
    return false
  }
}
