import type { House } from '../house.ts'
import type { Operation } from '../operation.ts'
import { agentOperations } from './agents.ts'
import { contextOperations } from './context.ts'
import { entryOperations } from './entries.ts'
import { historyOperations } from './history.ts'
import { mcpOperations } from './mcp.ts'
import { memoryOperations } from './memory.ts'
import { packOperations } from './packs.ts'
import { runOperations } from './runs.ts'
import { serverOperations } from './server.ts'
import { sessionOperations } from './sessions.ts'
import { streamOperations } from './streams.ts'

/** Callboard's own operations, as far as there is something behind them. */
export function ownOperations({
  memory,
  sessions,
  evolutions,
}: Partial<Pick<House, 'memory' | 'sessions' | 'evolutions'>>): readonly Operation[] {
  return [
    ...serverOperations,
    ...runOperations,
    ...entryOperations,
    ...agentOperations,
    ...historyOperations,
    ...streamOperations,
    ...packOperations,
    ...mcpOperations,
    ...(memory === undefined ? [] : memoryOperations),
    ...(sessions === undefined ? [] : sessionOperations),
    ...(evolutions === undefined ? [] : contextOperations),
  ]
}
