// Opens what one tenant has: its database, its memory, its runtime with the runs that have not ended, and the doors to it.
import { resolve } from 'node:path'
import { createMemory, openSqliteMemory } from '../memory/index.ts'
import type { MemoryStore } from '../memory/index.ts'
import { createRuntime } from '../runtime/index.ts'
import type { Recovered } from '../runtime/index.ts'
import type { House } from '../server/index.ts'
import { openDatabase } from './database.ts'
import type { Doors } from './load-doors.ts'
import { memoryFile, packFolder } from './server-files.ts'
import type { ServerSettings } from './server-settings.ts'
import type { Terminal } from './terminal.ts'

export interface OpenedHouse {
  readonly house: House
  /** Runs that could not be gone on with. */
  readonly failures: Recovered['failures']
  /** Lets go of the runs as they are stored. Twice is harmless. */
  close(): Promise<void>
}

/** @throws CallboardError `cli.database-busy` while another process works on its runs; what stores throw */
export async function openHouse(
  db: string,
  {
    terminal,
    doors,
    settings,
  }: { readonly terminal: Terminal; readonly doors: Doors; readonly settings: ServerSettings },
): Promise<OpenedHouse> {
  await using stack = new AsyncDisposableStack()
  const database = stack.use(await openDatabase(db, terminal))
  stack.use(database.lockAll())
  const remembered = await openMemoryStore(resolve(terminal.cwd, db), settings)
  stack.defer(() => remembered.close())
  const memory = await createMemory({ store: remembered })
  const { workflows, builtIn } = doors
  const runtime = stack.use(
    await createRuntime({ store: database.store, workflows: [...workflows, ...builtIn], memory }),
  )
  const sessions = await doors.sessions(runtime)
  stack.defer(() => sessions.close())
  const tasks = await doors.tasks(runtime)
  const { failures } = await runtime.recover()
  const evolutions = doors.evolutions?.(runtime)
  const kept = stack.move()
  return {
    house: { runtime, workflows, memory, tasks, sessions, evolutions, packs: packFolder(resolve(terminal.cwd, db)) },
    failures,
    close: () => kept.disposeAsync(),
  }
}

/** A backend that is asked for and does not answer is an error, not silently another one. */
async function openMemoryStore(db: string, { qdrantUrl: url, qdrantCollection }: ServerSettings): Promise<MemoryStore> {
  if (url === undefined) return openSqliteMemory(memoryFile(db))
  const { openQdrantMemory } = await import('../memory/qdrant/index.ts')
  return openQdrantMemory({ url, ...(qdrantCollection === undefined ? {} : { collection: qdrantCollection }) })
}
