// Deadlock: when a run cannot go on by itself. Pure: from who waits for what and who could write it, to a graph and its
// explanation.
import { CallboardError } from '../base/index.ts'

/** One agent in the wait-for graph. */
export interface WaitForNode {
  readonly agent: string
  /** The keys it waits for. */
  readonly waitsFor: readonly string[]
  /** By key, the agents that could write it and are waiting themselves; empty when nobody could. */
  readonly writers: Readonly<Record<string, readonly string[]>>
}

/** Who waits for whom, and the circle if there is one. */
export interface WaitForGraph {
  readonly nodes: readonly WaitForNode[]
  readonly cycle: readonly string[] | undefined
}

export function buildWaitForGraph(nodes: readonly WaitForNode[]): WaitForGraph {
  return Object.freeze({ nodes: Object.freeze([...nodes]), cycle: findCycle(nodes) })
}

function findCycle(nodes: readonly WaitForNode[]): readonly string[] | undefined {
  const next = new Map(nodes.map(({ agent, writers }) => [agent, new Set(Object.values(writers).flat())]))
  const done = new Set<string>()
  const visit = (agent: string, trail: readonly string[]): readonly string[] | undefined => {
    const start = trail.indexOf(agent)
    if (start >= 0) return [...trail.slice(start), agent]
    if (done.has(agent)) return undefined
    done.add(agent)
    for (const writer of next.get(agent) ?? []) {
      const cycle = visit(writer, [...trail, agent])
      if (cycle !== undefined) return cycle
    }
    return undefined
  }
  for (const { agent } of nodes) {
    const cycle = visit(agent, [])
    if (cycle !== undefined) return cycle
  }
  return undefined
}

/** What stands for a key that somebody is not to hear of. */
const OUT_OF_SIGHT = '(a key out of sight)'

/** The graph as one agent may see it: keys that are none of its business have no names. */
export function graphFor({ nodes, cycle }: WaitForGraph, knows: (key: string) => boolean): WaitForGraph {
  const shown = (key: string): string => (key === '*' || knows(key) ? key : OUT_OF_SIGHT)
  const redacted = nodes.map(({ agent, waitsFor, writers }): WaitForNode => {
    const byKey = Map.groupBy(Object.entries(writers), ([key]) => shown(key))
    return Object.freeze({
      agent,
      waitsFor: Object.freeze([...new Set(waitsFor.map(shown))]),
      writers: Object.freeze(
        Object.fromEntries(Array.from(byKey, ([key, all]) => [key, [...new Set(all.flatMap(([, who]) => who))]])),
      ),
    })
  })
  return Object.freeze({ nodes: Object.freeze(redacted), cycle })
}

/** One line per agent: what it waits for and why that cannot come. */
export function describeGraph({ nodes, cycle }: WaitForGraph): string {
  const lines = nodes.flatMap(({ agent, waitsFor, writers }) =>
    waitsFor.map((key) => {
      const who = writers[key] ?? []
      const why = who.length === 0 ? 'which no running agent writes' : `which ${who.join(', ')} would write`
      return `${agent} waits for "${key}", ${why}`
    }),
  )
  return cycle === undefined ? lines.join('; ') : `${lines.join('; ')} (circle: ${cycle.join(' → ')})`
}

/** The error a wait of a deadlocked run is rejected with; `graph` is what the waiter may see of it. */
export function deadlockError(runId: string, agent: string, graph: WaitForGraph): CallboardError {
  return new CallboardError(
    'wait.deadlock',
    `run ${runId} is deadlocked: ${describeGraph(graph)}; let one of them write first, catch wait.deadlock and go on without it, ` +
      `or mark an entry that someone outside writes with outside: true`,
    { runId, agent, graph },
  )
}
