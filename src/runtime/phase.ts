// Phases: the top-level states of a machine, or, where some state has the tag `phase`, the states that have it.

interface PhaseNode {
  readonly id: string
  readonly tags: readonly string[]
  readonly parent?: { readonly parent?: unknown }
}

/** Whether a phase that was active before is not active any more. */
export function leavesPhase(before: readonly PhaseNode[], after: readonly PhaseNode[]): boolean {
  if (before === after) return false
  const left = phasesOf(before)
  if (left.length === 0) return false
  const still = new Set(after)
  return left.some((node) => !still.has(node))
}

/** The phases among the active states. */
export function phasesOf<Node extends PhaseNode>(nodes: readonly Node[]): readonly Node[] {
  const tagged = nodes.filter(({ tags }) => tags.includes('phase'))
  return tagged.length > 0 ? tagged : nodes.filter(({ parent }) => parent !== undefined && parent.parent === undefined)
}
