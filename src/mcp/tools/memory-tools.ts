import { z } from 'zod'
import { toTagged } from '../../base/index.ts'
import { runId } from './run-tools.ts'
import { EVERYBODY, tool } from './tool.ts'
import type { Tool } from './tool.ts'

const LONGEST_QUERY = 10_000

/** Tools about what outlives runs. */
export const MEMORY_TOOLS: readonly Tool[] = [
  tool({
    name: 'search_memory',
    title: 'Search the memory',
    description: 'What is remembered about a question, the most relevant first, in the scopes that you are in.',
    callers: EVERYBODY,
    needsMemory: true,
    input: z.strictObject({
      runId: runId.describe('on behalf of which run'),
      query: z.string().min(1).max(LONGEST_QUERY),
      topK: z.int().min(1).max(100).optional(),
    }),
    run: async (desk, { runId: id, query, topK }) => {
      const memory = desk.memory(await desk.run(id))
      const hits = await memory.recall(query, topK === undefined ? {} : { topK })
      const found = hits.map(({ item, score }) => {
        const { id: itemId, kind, type, scope, text, confidence, data } = item
        return { id: itemId, kind, type, scope, text, confidence, score, data: toTagged(data) }
      })
      return { data: { hits: found } }
    },
  }),
]
