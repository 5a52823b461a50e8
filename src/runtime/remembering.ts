// The memory in an agent's context: made when it is first asked for, and an error where the runtime has none.
import { CallboardError } from '../base/index.ts'
import type { AgentMemory, MemorySource, RememberingAgent } from '../memory/index.ts'

/** Adds `memory` to an agent's context. */
export function withMemory<Context extends object>(
  context: Context,
  source: MemorySource | undefined,
  agent: RememberingAgent,
): Context & { readonly memory: AgentMemory } {
  let memory: AgentMemory | undefined
  const get = (): AgentMemory => {
    if (source === undefined) throw noMemory(agent)
    return (memory ??= source.forAgent(agent))
  }
  // Where there is none it is not listed either: copying a context must not fail.
  return Object.defineProperty(context, 'memory', { get, enumerable: source !== undefined }) as Context & {
    readonly memory: AgentMemory
  }
}

function noMemory({ runId, id }: RememberingAgent): CallboardError {
  return new CallboardError(
    'agent.no-memory',
    `run ${runId}: agent ${id} asks for its memory, and the runtime has none; give createRuntime({ memory }) one`,
    { runId, agent: id },
  )
}
