// The same update in LangGraph.js: a graph of one node that writes one key of its state and comes back to itself, so
// that every update is one superstep with a checkpoint in the MemorySaver and nothing else.
// This folder has an install of its own and is outside the project's type check; what it promises is typed in peers.ts.
import { Annotation, MemorySaver, START, StateGraph } from '@langchain/langgraph'
import type { OpenGraph } from '../peers.ts'

export async function openGraph(keys: readonly string[]): Promise<OpenGraph> {
  let left = 0
  let count = 0
  const State = Annotation.Root(Object.fromEntries(keys.map((key) => [key, Annotation<number>()])))
  const graph = new StateGraph(State)
    .addNode('write', () => {
      left -= 1
      count += 1
      return { [keys[(count * 7919) % keys.length] as string]: count }
    })
    .addEdge(START, 'write')
    .addConditionalEdges('write', () => (left > 0 ? 'write' : '__end__'), ['write', '__end__'])
    .compile({ checkpointer: new MemorySaver() })
  const options = { configurable: { thread_id: 'bench' } }
  left = 1
  await graph.invoke(Object.fromEntries(keys.map((key) => [key, 0])), { ...options, recursionLimit: 10 })
  return {
    async update(times) {
      left = times
      const state = await graph.invoke({ [keys[0] as string]: 0 }, { ...options, recursionLimit: times + 5 })
      if (left !== 0 || Object.keys(state).length !== keys.length) throw new Error('the graph did something else')
    },
  }
}
