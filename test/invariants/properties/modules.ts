// The modules under test. Properties are functions of them, so that each can be shown to fail when something is broken.
import type * as Base from '../../../src/base/index.ts'
import type * as Context from '../../../src/context/index.ts'
import type * as Ledger from '../../../src/ledger/index.ts'
import type * as MemoryModule from '../../../src/memory/index.ts'
import type * as RuntimeModule from '../../../src/runtime/index.ts'
import type * as RunStateModule from '../../../src/runtime/run-state.ts'
import type * as Waits from '../../../src/waits/index.ts'
import type * as WorkflowModule from '../../../src/workflow/index.ts'

export interface Modules {
  readonly base: typeof Base
  readonly context: typeof Context
  readonly waits: typeof Waits
  readonly ledger: typeof Ledger
  readonly workflow: typeof WorkflowModule
  readonly memory: typeof MemoryModule
  readonly runtime: typeof RuntimeModule
  readonly runState: typeof RunStateModule
}

/** Loads them, afresh after `vi.resetModules()`. */
export async function loadModules(): Promise<Modules> {
  return {
    base: await import('../../../src/base/index.ts'),
    context: await import('../../../src/context/index.ts'),
    waits: await import('../../../src/waits/index.ts'),
    ledger: await import('../../../src/ledger/index.ts'),
    workflow: await import('../../../src/workflow/index.ts'),
    memory: await import('../../../src/memory/index.ts'),
    runtime: await import('../../../src/runtime/index.ts'),
    runState: await import('../../../src/runtime/run-state.ts'),
  }
}
