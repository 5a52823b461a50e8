// What LangGraph.js does with its SqliteSaver for one superstep that writes one key of its state: the write is put, then
// the checkpoint with all values. The graph itself is left out.
// better-sqlite3 13 brings its binaries along; the 12 that the saver asks for has to be downloaded or compiled (see
// package.json). This folder has an install of its own and is outside the project's type check.
import type { Checkpoint } from '@langchain/langgraph-checkpoint'
import { emptyCheckpoint, uuid6 } from '@langchain/langgraph-checkpoint'
import { SqliteSaver } from '@langchain/langgraph-checkpoint-sqlite'
import Database from 'better-sqlite3'
import type { OpenSaver, SaverOptions } from '../peers.ts'

const TASK = '6ff2c6c9-5c0a-5ae2-9d9c-4f5a7a2f0d0e'

export function openSaver({ path, synchronous, values }: SaverOptions): OpenSaver {
  const db = new Database(path)
  const saver = new SqliteSaver(db)
  const threads = new Map<string, { checkpoint: Checkpoint; step: number }>()
  const first = { checkpoint: { ...emptyCheckpoint(), channel_values: { ...values } }, step: 0 }
  return {
    async update(threadId, key, value) {
      const { checkpoint, step } = threads.get(threadId) ?? first
      const config = { configurable: { thread_id: threadId, checkpoint_ns: '', checkpoint_id: checkpoint.id } }
      // It sets its journal mode when it is first used; how much is forced to disk is the caller's choice.
      if (threads.size === 0) await saver.getTuple(config)
      if (threads.size === 0) db.pragma(`synchronous = ${synchronous}`)
      await saver.putWrites(config, [[key, value]], TASK)
      const next: Checkpoint = {
        ...checkpoint,
        id: uuid6(step),
        ts: new Date().toISOString(),
        channel_values: { ...checkpoint.channel_values, [key]: value },
        channel_versions: { ...checkpoint.channel_versions, [key]: step + 1 },
        versions_seen: { write: { [key]: step } },
      }
      await saver.put(config, next, { source: 'loop', step, parents: {} })
      threads.set(threadId, { checkpoint: next, step: step + 1 })
    },
    close: () => void db.close(),
  }
}
