// PhaseMarks: the snapshots `before_<phase>` and `after_<phase>` that a run takes by itself: of the states tagged `phase`,
// and of the agents that are declared one. They are stored together with the transition that begins or ends the phase.
import type { EventObject } from 'xstate'
import type { AgentDefinition } from '../workflow/index.ts'
import type { MachineSnapshot } from './machine-snapshot.ts'
import type { SnapshotInfo, SnapshotLine } from './point.ts'

/** A phase that is under way. */
interface Phase {
  readonly name: string
  /** Set for the phase of an agent. */
  readonly agent?: string
}

// Most runs have no phases, and an empty map takes 200 bytes.
const NO_COUNTS: Map<string, number> = new Map()
const NO_PHASES: ReadonlyMap<object, Phase> = new Map()
const NONE: readonly SnapshotLine[] = Object.freeze([])
const DONE = 'xstate.done.actor.'
const FAILED = 'xstate.error.actor.'

export class PhaseMarks {
  readonly #agents: ReadonlyMap<string, AgentDefinition>
  /** How often each has been taken: the first is named after the phase, later ones are numbered. */
  #counts = NO_COUNTS
  /** By what stays the same while they last: the state node, or the actor. */
  #current = NO_PHASES
  /** Agents whose end the machine has been told: they may stay among its children for a while. */
  #ended: WeakSet<object> | undefined
  /** What was looked at last. */
  #last: Pick<MachineSnapshot, '_nodes' | 'children'> | undefined

  /** @param taken the snapshots that a stored run has already */
  constructor(agents: ReadonlyMap<string, AgentDefinition>, taken: readonly SnapshotInfo[] = []) {
    this.#agents = agents
    for (const { id, reason } of taken) {
      const count = id === reason ? 1 : Number(id.slice(reason.length + 1))
      if (id.startsWith(reason) && count > (this.#counts.get(reason) ?? 0)) this.#count(reason, count)
    }
  }

  /** A stored run goes on in the middle of its phases. */
  resume(snapshot: MachineSnapshot): void {
    for (const child of Object.values(snapshot.children)) {
      if (child.getSnapshot().status !== 'active') this.#end(child)
    }
    this.#current = this.#phasesOf(snapshot)
    this.#last = snapshot
  }

  /** The snapshots to be taken after a transition. */
  take(after: MachineSnapshot, event?: EventObject): readonly SnapshotLine[] {
    const { type = '' } = event ?? {}
    const failed = type.startsWith(FAILED)
    const ended = failed ? type.slice(FAILED.length) : type.startsWith(DONE) ? type.slice(DONE.length) : undefined
    const { _nodes: nodes, children, status } = after
    if (ended === undefined && status === 'active' && nodes === this.#last?._nodes && children === this.#last.children)
      return NONE
    const was = this.#current
    for (const [key, { agent }] of was) if (agent !== undefined && agent === ended) this.#end(key)
    const is = status === 'active' ? this.#phasesOf(after) : NO_PHASES
    this.#current = is
    this.#last = after
    const lines: SnapshotLine[] = []
    for (const [key, phase] of was) {
      if (is.has(key)) continue
      const hasEnded = phase.agent === undefined || phase.agent === ended
      lines.push(
        this.#line('after', phase, hasEnded ? (failed || status === 'error' ? 'failed' : 'finished') : 'stopped'),
      )
    }
    for (const [key, phase] of is) if (!was.has(key)) lines.push(this.#line('before', phase))
    return lines
  }

  #phasesOf({ _nodes: nodes, children }: MachineSnapshot): ReadonlyMap<object, Phase> {
    const phases = new Map<object, Phase>()
    for (const node of nodes) if (node.tags.includes('phase')) phases.set(node, { name: node.key })
    for (const child of Object.values(children)) {
      const phase = typeof child.src === 'string' ? this.#agents.get(child.src)?.phase : undefined
      if (phase !== undefined && this.#ended?.has(child) !== true) phases.set(child, { name: phase, agent: child.id })
    }
    return phases.size === 0 ? NO_PHASES : phases
  }

  #end(key: object): void {
    this.#ended ??= new WeakSet()
    this.#ended.add(key)
  }

  #count(reason: string, count: number): void {
    if (this.#counts === NO_COUNTS) this.#counts = new Map()
    this.#counts.set(reason, count)
  }

  #line(side: 'before' | 'after', { name, agent }: Phase, status?: string): SnapshotLine {
    const reason = `${side}_${name}`
    const count = (this.#counts.get(reason) ?? 0) + 1
    this.#count(reason, count)
    return {
      id: count === 1 ? reason : `${reason}#${count}`,
      reason,
      metadata: {
        phase: name,
        ...(agent === undefined ? {} : { agent }),
        ...(status === undefined ? {} : { status }),
      },
    }
  }
}
