// Loads what is served: the workflows of modules of the user's, and the built-in machines of this package.
import type { AnyStateMachine } from 'xstate'
import type { Runtime } from '../runtime/index.ts'
import type { EvolutionsDoor, SessionsDoor, TasksDoor } from '../server/index.ts'
import { loadExports } from './load-module.ts'
import type { Terminal } from './terminal.ts'

/** What opens the doors of a runtime, as far as there is something behind them. */
export interface Doors {
  /** The workflows that anybody may start by name. */
  readonly workflows: readonly AnyStateMachine[]
  /** The workflows behind the doors. */
  readonly builtIn: readonly AnyStateMachine[]
  readonly tasks: (runtime: Runtime) => Promise<TasksDoor>
  readonly sessions: (runtime: Runtime) => Promise<SessionsDoor & { close(): Promise<void> }>
  /** A module may export `evolutions(runtime)`. */
  readonly evolutions: ((runtime: Runtime) => EvolutionsDoor) | undefined
}

interface TaskModule {
  readonly task: AnyStateMachine
  createTasks(options: { readonly runtime: Runtime }): Promise<TasksDoor>
}

interface SessionModule {
  readonly session: AnyStateMachine
  createSessions(options: { readonly runtime: Runtime }): Promise<SessionsDoor & { close(): Promise<void> }>
}

// By the package's own name, as its users import them: machines are users of the package, not a part of it. Not written
// as literals, because they are built after this.
const TASK = 'callboard/machines/task'
const SESSION = 'callboard/machines/session'

/** @throws CallboardError `cli.…` with one line that says what to do */
export async function loadDoors(modules: readonly string[], { cwd }: Pick<Terminal, 'cwd'>): Promise<Doors> {
  const { task, createTasks } = (await import(TASK)) as TaskModule
  const { session, createSessions } = (await import(SESSION)) as SessionModule
  const loaded = await Promise.all(modules.map((module) => loadExports({ module, cwd })))
  const evolutions = loaded.map(({ exports }) => exports['evolutions']).find((door) => typeof door === 'function')
  return {
    workflows: [...new Set(loaded.flatMap(({ workflows }) => workflows))],
    builtIn: [task, session],
    tasks: (runtime) => createTasks({ runtime }),
    sessions: (runtime) => createSessions({ runtime }),
    evolutions: evolutions as Doors['evolutions'],
  }
}
